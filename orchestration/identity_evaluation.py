"""Evaluation of linkage: the hub's own links against the demo's truth, or any labelled file linked from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from connectors.identifiers import identify_citizen_nos, identify_usccs
from demo.home import folder
from identity.evaluate import evaluate, judge
from identity.features.records import FIRM_INPUT, KEY, PERSON_INPUT, features_of
from identity.model import KINDS, Kind
from identity.scratch import described, link_from_scratch
from identity.store import read_frame, read_records
from orchestration import hub
from warehouse.errors import ConfigurationError

PLURAL: dict[Kind, str] = {"resident": "residents", "enterprise": "enterprises"}
TRUTH_FILES: dict[Kind, str] = {"resident": "persons.parquet", "enterprise": "enterprises.parquet"}
# Columns of a labelled file; `true_id` may stand in the file itself or in the truth.
PERSON_FILE = (
    *KEY,
    "name",
    "citizen_no",
    "birth_on",
    "sex_code",
    "phone",
    "home_address",
    "town_code",
    "near_committee_code",
)
FIRM_FILE = (
    *KEY,
    "name",
    "code",
    "address",
    "town_code",
    "legal_rep_name",
    "legal_rep_id_no",
    "established_on",
)

_LINKS = """
select l.system, l.table_name, l.record_key, l.subject_id, coalesce(g.loose_id, l.subject_id), l.method, l.probability
from identity.current_links as l
left join identity.loose_groups as g on g.subject_id = l.subject_id
where l.subject_kind = %s
"""


def evaluate_hub(truth: Path | None) -> dict[str, Any]:
    """The hub's links against a truth: one file for both kinds, or the demo's."""
    result: dict[str, Any] = {}
    for kind in KINDS:
        known = _read_truth(truth) if truth is not None else _demo_truth(kind)
        with hub.hub_database().psycopg("pipeline") as connection:
            records = read_records(connection, kind)
            links = read_frame(connection, _LINKS, (*KEY, "subject", "loose", "method", "probability"), [kind])
        features = described(kind, records, features_of(kind, records))
        result[PLURAL[kind]] = evaluate(judge(kind, features, links, known))
    return result


def evaluate_file(records: Path, truth: Path | None) -> dict[str, Any]:
    """Link a labelled file from scratch and judge it. Nothing is written anywhere."""
    frame = _read(records)
    kind: Kind = "enterprise" if "code" in frame.columns else "resident"
    expected = FIRM_FILE if kind == "enterprise" else PERSON_FILE
    missing = [column for column in (*KEY, "name") if column not in frame.columns]
    if truth is None and "true_id" not in frame.columns:
        missing.append("true_id")
    if missing:
        raise ConfigurationError(
            f"A labelled file lacks columns: {', '.join(missing)}.",
            where=str(records),
            expected=f"a CSV in UTF-8 with the columns {', '.join(expected)}, and true_id here or in --truth",
            do="add the columns (only keys must be filled); docs/reference/identity-evaluation.md explains them",
        )
    _require_once(records, frame)
    known = frame if truth is None else _read_truth(truth)
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in expected if name not in frame.columns)
    linked = link_from_scratch(kind, _firms(frame) if kind == "enterprise" else _persons(frame))
    return {PLURAL[kind]: evaluate(judge(kind, linked.features, linked.links, known)) | {"asked": linked.asked}}


def _require_once(path: Path, frame: pl.DataFrame) -> None:
    """Refuse a file that names a record twice: which of its rows the truth means nobody can say."""
    repeated = frame.height - frame.select(KEY).n_unique() if frame.height else 0
    nameless = frame.height - frame.select(KEY).drop_nulls().height
    if repeated or nameless:
        raise ConfigurationError(
            f"A labelled file names {repeated} records more than once and leaves {nameless} without a key.",
            where=str(path),
            expected="system, table_name and record_key filled, and together different in every row",
            do="give each record a key of its own",
        )


def _persons(frame: pl.DataFrame) -> pl.DataFrame:
    number = identify_citizen_nos(frame.get_column("citizen_no")).get_column("key")
    return frame.with_columns(
        citizen_no=number,
        citizen_no_written=pl.col("citizen_no"),
        # Told apart in memory and kept nowhere: the hub's secret is not needed for that.
        citizen_no_key=number,
        birth_on=pl.col("birth_on").str.to_date("%Y-%m-%d", strict=False),
    ).select(PERSON_INPUT)


def _firms(frame: pl.DataFrame) -> pl.DataFrame:
    judged = identify_usccs(frame.get_column("code"))
    leads = identify_citizen_nos(frame.get_column("legal_rep_id_no")).get_column("key")
    return frame.with_columns(
        enterprise_key=judged.get_column("key"),
        code_written="code",
        legal_rep_key=leads,
        established_on=pl.col("established_on").str.to_date("%Y-%m-%d", strict=False),
    ).select(FIRM_INPUT)


def _demo_truth(kind: Kind) -> pl.DataFrame:
    home = hub.hub_settings().home
    path = folder(home) / "truth" / TRUTH_FILES[kind]
    if not path.exists():
        raise ConfigurationError(
            "There is no truth to compare with.",
            where=str(path),
            expected="a home with a demo city, or a file given with --truth",
            do="give --truth FILE with the columns system, table_name, record_key, true_id",
        )
    return _renamed(pl.read_parquet(path))


def _read_truth(path: Path) -> pl.DataFrame:
    frame = _renamed(_read(path))
    missing = [column for column in (*KEY, "true_id") if column not in frame.columns]
    if missing:
        raise ConfigurationError(
            f"The truth lacks columns: {', '.join(missing)}.",
            where=str(path),
            expected="a CSV or Parquet file with the columns system, table_name, record_key, true_id",
            do="add them; true_id is the same text for records of one subject",
        )
    return frame.with_columns(pl.col(column).cast(pl.String) for column in (*KEY, "true_id"))


def _renamed(frame: pl.DataFrame) -> pl.DataFrame:
    """The demo's truth says `table` and `key`."""
    return frame.rename({"table": "table_name", "key": "record_key"}, strict=False)


def _read(path: Path) -> pl.DataFrame:
    kind = "Parquet" if path.suffix == ".parquet" else "CSV"
    try:
        return pl.read_parquet(path) if kind == "Parquet" else pl.read_csv(path, infer_schema=False, encoding="utf8")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigurationError(
            f"A file cannot be read as {kind} ({type(error).__name__}).",
            where=str(path),
            expected="a CSV file in UTF-8 with a header, or of a truth a Parquet file",
            do="check the path and the file's format",
        ) from None
