"""The trained models: one JSON file per kind and version in `identity/models/`, kept fixed until a person changes it.

A file holds the Splink settings with every m and u probability, the frequencies of surnames and given-name characters
(aggregates, rare ones left out), and where it was trained. The newest version of a kind is in force.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from identity.comparisons import FIRM_COMPARISONS, PERSON_COMPARISONS, Comparison
from warehouse.errors import ConfigurationError

Kind = Literal["resident", "enterprise"]
KINDS: tuple[Kind, ...] = ("resident", "enterprise")
FORMAT = 1
MODELS_DIR = Path(__file__).parent / "models"
COMPARISONS: dict[Kind, list[Comparison]] = {"resident": PERSON_COMPARISONS, "enterprise": FIRM_COMPARISONS}


@dataclass(frozen=True)
class Model:
    """One version of one kind's model.

    Attributes:
        version: `resident-1`, as links and pairs record it.
        trained: what it was trained on, in words and counts.
        frequencies: share of each surname (`surname`) and each character of given names (`given`), of one that is
            in neither (`rare`), and what to multiply their product by for given names of so many characters
            (`length`); empty where names carry no frequency.
        settings: the Splink settings.
    """

    kind: Kind
    number: int
    trained: dict[str, Any]
    frequencies: dict[str, dict[str, float]]
    settings: dict[str, Any] = field(repr=False)

    @property
    def version(self) -> str:
        """Name of this version."""
        return f"{self.kind}-{self.number}"

    def levels(self) -> dict[str, list[dict[str, Any]]]:
        """Comparison → its levels from the top, each with label, m, u and weight in bits; the null level left out."""
        found = {}
        for comparison in self.settings["comparisons"]:
            levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
            found[str(comparison["output_column_name"])] = [
                {
                    "level": level["label_for_charts"],
                    "m": level["m_probability"],
                    "u": level["u_probability"],
                    "weight": math.log2(level["m_probability"] / level["u_probability"]),
                }
                for level in levels
            ]
        return found

    def name_frequencies(self, names: pl.DataFrame) -> pl.Series:
        """How often a full name is expected: share of the surname times those of the given name's characters.

        Given names of one character are fewer than their characters are, and characters keep company by generation and
        sex, so the product is set right by what was found for given names of that length.
        Taken from the model and not from the day's records, so that a score does not move when others come or go.

        Args:
            names: columns `name` and `surname`.
        """
        rare = self.frequencies["rare"]
        given = pl.col("name").str.slice(pl.col("surname").str.len_chars())
        frame = names.with_row_index("at").with_columns(given=given)
        letters = frame.select("at", pl.col("given").str.split("")).explode("given")
        share = letters.with_columns(
            pl.col("given").replace_strict(self.frequencies["given"], default=rare["given"], return_dtype=pl.Float64)
        )
        product = share.group_by("at", maintain_order=True).agg(pl.col("given").log().sum().exp())
        own = frame.select(
            "at",
            own=pl.col("surname").replace_strict(
                self.frequencies["surname"], default=rare["surname"], return_dtype=pl.Float64
            ),
        )
        joined = own.join(product, on="at", how="left", maintain_order="left")
        lengths = frame.select(pl.col("given").str.len_chars().cast(pl.String).alias("length")).to_series()
        factor = lengths.replace_strict(self.frequencies["length"], default=1.0, return_dtype=pl.Float64)
        joined = joined.with_columns(factor=factor)
        return joined.select(
            (pl.col("own") * pl.col("given").fill_null(1.0) * pl.col("factor")).clip(1e-9, 1.0)
        ).to_series()

    def as_json(self) -> str:
        """The file's text."""
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "number": self.number,
            "trained": self.trained,
            "frequencies": self.frequencies,
            "settings": self.settings,
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def load_model(kind: Kind, directory: Path = MODELS_DIR, *, to_compare: bool = True) -> Model:
    """The newest version of a kind.

    Args:
        to_compare: it is to compare records, and not only to be compared with another version.

    Raises:
        ConfigurationError: there is none, or this version of cityhub cannot read it.
    """
    return read_model(newest_file(kind, directory), to_compare=to_compare)


def newest_file(kind: Kind, directory: Path = MODELS_DIR) -> Path:
    """The file of the newest version of a kind."""
    numbered = {int(path.stem.rpartition("-")[2]): path for path in directory.glob(f"{kind}-*.json")}
    if not numbered:
        raise ConfigurationError(
            f"There is no linkage model for the kind {kind}.",
            where=str(directory),
            expected=f"a file {kind}-1.json",
            do="restore the file from the repository, or train one: `cityhub identity train`",
        )
    return numbered[max(numbered)]


def read_model(path: Path, *, to_compare: bool = True) -> Model:
    """A model from its file.

    Raises:
        ConfigurationError: unreadable, of another format, or (`to_compare`) with other comparisons than this version
            compares by.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise _unusable(path, f"the file cannot be read ({type(error).__name__})") from None
    if content.get("format") != FORMAT:
        raise _unusable(path, f"its format is {content.get('format')!r}")
    kind = content.get("kind")
    if kind not in KINDS:
        raise _unusable(path, f"its kind is {kind!r}")
    model = Model(kind, content["number"], content["trained"], content["frequencies"], content["settings"])
    if to_compare and _shape(model.settings["comparisons"]) != _shape(COMPARISONS[model.kind]):
        raise _unusable(path, "it was trained for other comparisons")
    return model


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"A linkage model cannot be used: {why}.",
        where=str(path),
        expected=f"a model file of format {FORMAT} with the comparisons of this version of cityhub",
        do="take the file of this version from the repository, or train a new one: `cityhub identity train`",
    )


def _shape(comparisons: list[Comparison]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (
            comparison["output_column_name"],
            [(level["label_for_charts"], level["sql_condition"]) for level in comparison["comparison_levels"]],
        )
        for comparison in comparisons
    ]
