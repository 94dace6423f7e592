"""Training a new version of a model on records: once, by a person, never by a run.

u comes from random pairs of certified records, one per identifier: those are of different subjects. m comes from
records that carry one certified identifier: they are the same subject whatever else they say. Only of the identifier
itself they tell nothing (there it always agrees), so its m comes from pairs of which at least one record did not
certify and the rest agrees.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from typing import Any

import polars as pl

from identity.comparisons import DECLARED_LEVELS, DECLARED_M
from identity.engine import duckdb_connection, prior
from identity.faces import FEATURES, build_faces
from identity.features.records import features_of
from identity.model import COMPARISONS, Kind, Model

# No level is impossible: what never occurred in training may occur tomorrow.
LEAST_M, LEAST_U = 0.0005, 1e-7
# Characters seen fewer times than this share the frequency of rare ones: nobody can be told from the file.
LEAST_COUNT = 10
_SEED = 17
_SETTINGS: dict[str, Any] = {
    "link_type": "dedupe_only",
    "unique_id_column_name": "face",
    "sql_dialect": "duckdb",
    "retain_matching_columns": True,
    "retain_intermediate_calculation_columns": True,
    "blocking_rules_to_generate_predictions": [],
}
# Identifying columns whose agreement is what certification means, and the rule that finds pairs to learn them from.
_UNCERTIFIED = "(l.identifier is null or r.identifier is null)"
_IDENTIFIER_COMPARISON: dict[Kind, tuple[str, str]] = {
    "resident": ("number", f"l.name = r.name and l.birth = r.birth and l.sex = r.sex and {_UNCERTIFIED}"),
    "enterprise": ("code", f"l.name = r.name and {_UNCERTIFIED}"),
}


def train(kind: Kind, records: pl.DataFrame, number: int, trained: dict[str, Any], *, max_pairs: float = 1e7) -> Model:
    """A new version, the same for the same records.

    Args:
        records: what the features are made of (`PERSON_INPUT` or `FIRM_INPUT`).
        number: number of the new version.
        trained: what the records were, for the file.
        max_pairs: random pairs for u.
    """
    built = build_faces(kind, features_of(kind, records))
    faces = built.table
    # What a certified number says of birth and sex agrees with itself: m comes from what was written beside it.
    written = records.with_columns(citizen_no=pl.lit(None, pl.String)) if kind == "resident" else records
    settings = _estimate(kind, faces, build_faces(kind, features_of(kind, written)).table, max_pairs)
    told = {**trained, "records": records.height, "prior": prior(built)}
    if kind == "enterprise":
        return Model(kind, number, told, {}, settings)
    shares = Model(kind, number, told, name_shares(faces) | {"length": {}}, settings)
    return replace(shares, frequencies=shares.frequencies | {"length": length_factors(shares, faces)})


def name_shares(faces: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Shares of surnames and of given-name characters among the full names of these faces."""
    full = faces.filter(pl.col("name").is_not_null())
    given = full.select(pl.col("name").str.slice(pl.col("surname").str.len_chars()).str.split("").alias("given"))
    shares: dict[str, dict[str, float]] = {}
    rare: dict[str, float] = {}
    for part, values in (("surname", full.get_column("surname")), ("given", given.explode("given").to_series())):
        counts = values.drop_nulls().value_counts().rename({values.name: "value"})
        total = max(1, int(counts.get_column("count").sum()))
        known = counts.filter(pl.col("count") >= LEAST_COUNT).sort("count", "value", descending=[True, False])
        shares[part] = {value: round(count / total, 8) for value, count in known.rows()}
        rare[part] = round(LEAST_COUNT / 2 / total, 8) if total > LEAST_COUNT else 0.01
    return {**shares, "rare": rare}


def length_factors(model: Model, faces: pl.DataFrame) -> dict[str, float]:
    """Per length of the given name: how much oftener two certified people share a name than their characters tell."""
    known = faces.filter(pl.col("name").is_not_null() & pl.col("identifier").is_not_null())
    people = known.unique("identifier", keep="first", maintain_order=True).select("name", "surname")
    told = people.with_columns(
        told=model.name_frequencies(people),
        others=pl.len().over("name") - 1,
        length=pl.col("name").str.len_chars() - pl.col("surname").str.len_chars(),
    )
    by_length = told.group_by("length").agg(pl.len(), pl.col("others").sum(), pl.col("told").mean()).sort("length")
    return {
        str(length): round((others + 1) / count / max(1, people.height - 1) / expected, 4)
        for length, count, others, expected in by_length.iter_rows()
        if count >= LEAST_COUNT
    }


def _estimate(kind: Kind, faces: pl.DataFrame, written: pl.DataFrame, max_pairs: float) -> dict[str, Any]:
    from splink import Linker
    from splink.backends.duckdb import DuckDBAPI

    logging.getLogger("splink").setLevel(logging.ERROR)
    settings = copy.deepcopy({**_SETTINGS, "comparisons": COMPARISONS[kind]})
    with duckdb_connection() as connection:
        connection.register("faces_in", faces.to_arrow())
        connection.execute("create table faces as select * from faces_in")
        # The register's entry where there is one: it says the most.
        connection.execute(
            "create table certified as select * from faces where identifier is not null"
            " qualify row_number() over (partition by identifier order by is_register desc, face) = 1"
        )
        api = DuckDBAPI(connection)
        linker = Linker(api.register("certified"), settings, log_level=None, validate_settings=False)
        linker.training.estimate_u_using_random_sampling(
            max_pairs=max_pairs, seed=_SEED, min_count_per_level=None, num_chunks=1
        )
        u = linker.misc.save_model_to_json()
        connection.register("written_in", written.to_arrow())
        connection.execute("create table written as select * from written_in")
        linker = Linker(api.register("written"), settings, log_level=None, validate_settings=False)
        linker.training.estimate_m_from_label_column("identifier")
        m = linker.misc.save_model_to_json()
        name, rule = _IDENTIFIER_COMPARISON[kind]
        counts = _level_counts(connection, settings, name, rule)
    return _filled(kind, m, u, name, counts)


def _level_counts(connection: Any, settings: dict[str, Any], name: str, rule: str) -> dict[str, int]:
    """How often each level of one comparison occurs among the pairs that a rule finds."""
    levels = next(c for c in settings["comparisons"] if c["output_column_name"] == name)["comparison_levels"]
    cases = " ".join(
        f"when {level['sql_condition']} then '{level['label_for_charts']}'"
        for level in levels
        if level["sql_condition"] != "ELSE"
    )
    columns = sorted({column for kind in FEATURES for column in FEATURES[kind]})
    held = {row[0] for row in connection.execute("describe faces").fetchall()}
    pairs = ", ".join(f"l.{c} as {c}_l, r.{c} as {c}_r" for c in columns if c in held)
    rows = connection.execute(
        f"with pairs as (select {pairs} from faces as l inner join faces as r on {rule} and l.face < r.face)"
        f" select case {cases} else 'different' end as level, count(*) from pairs group by 1"
    ).fetchall()
    return {level: count for level, count in rows if level != "unknown"}


def _filled(
    kind: Kind, learned_m: dict[str, Any], learned_u: dict[str, Any], identifier: str, counts: dict[str, int]
) -> dict[str, Any]:
    """The declared comparisons with learned probabilities: floors applied, every comparison summing to one."""
    m_of, u_of = _by_level(learned_m, "m_probability"), _by_level(learned_u, "u_probability")
    comparisons = copy.deepcopy(COMPARISONS[kind])
    for comparison in comparisons:
        name = comparison["output_column_name"]
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        labels = [level["label_for_charts"] for level in levels]
        m = [_probability(m_of[name, label], LEAST_M) for label in labels]
        if name == identifier:
            total = sum(counts.values()) + len(levels)
            m = [(counts.get(label, 0) + 1) / total for label in labels]
        elif name in DECLARED_M:
            m = [DECLARED_M[name][label] for label in labels]
        u = [_probability(u_of[name, label], LEAST_U) for label in labels]
        for place, label in enumerate(labels):
            m[place], u[place] = DECLARED_LEVELS.get((name, label), (m[place], u[place]))
        # What the named levels leave is the last one's.
        u[-1] = max(LEAST_U, 1 - sum(u[:-1]))
        for level, one, other in zip(levels, m, u, strict=True):
            level["m_probability"], level["u_probability"] = round(one / sum(m), 8), round(other, 10)
    return {**_SETTINGS, "comparisons": comparisons}


def _by_level(learned: dict[str, Any], probability: str) -> dict[tuple[str, str], Any]:
    return {
        (comparison["output_column_name"], level["label_for_charts"]): level.get(probability)
        for comparison in learned["comparisons"]
        for level in comparison["comparison_levels"]
    }


def _probability(value: Any, least: float) -> float:
    return max(least, float(value)) if isinstance(value, int | float) else least
