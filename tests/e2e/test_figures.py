"""Every figure and every subject, recomputed from the four systems as they stand, compared with what readers see."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pandas as pd
import pytest

from tests.e2e import figures
from tests.e2e.arithmetic import citizen_number, enterprise_number
from tests.e2e.contract_reading import admit_all, load_options
from tests.e2e.stages import EARLIER, First, OtherDay
from tests.e2e.subjects import Record, Sources, enterprise_records, person_records

# One worker takes every test of these homes.
pytestmark = pytest.mark.xdist_group("e2e")

PLACE = ["indicator_code", "dimension", "dimension_code", "period"]


@pytest.fixture(scope="module")
def sources(first: First) -> Sources:
    """The rows of the four systems that the contracts admit, by a reading of their own."""
    return admit_all(first.frames)


@pytest.mark.parametrize(
    ("number", "form"),
    [
        ("11010519491231002X", "11010519491231002X"),
        ("11010519491231002x", "11010519491231002X"),
        ("440524188001010014", "440524188001010014"),
        ("310115600101001", "310115196001010017"),
        ("110105194912310021", None),
    ],
)
def test_citizen_numbers_of_the_standard(number: str, form: str | None) -> None:
    assert citizen_number(number) == form


@pytest.mark.parametrize("code", ["91110000600037341L", "N2310115MA1K3ABCD5", "52310115MJ5001234E"])
def test_credit_codes_of_the_standard(code: str) -> None:
    assert enterprise_number(code) == code
    assert enterprise_number(code[:-1] + ("0" if code[-1] != "0" else "1")) is None


def test_the_contracts_refuse_the_same_rows(first: First, sources: Sources) -> None:
    for (system, table), admitted in sources.items():
        name = f"{system}.{table}"
        assert sorted(admitted.rows.pipe(keys, system, table)) == sorted(first.raw[name]["key"]), name
        there = first.quarantine[(first.quarantine["system"] == system) & (first.quarantine["table_name"] == table)]
        entry = first.ran.status["systems"][system][table]
        assert entry["quarantined"] == len(admitted.refused), name
        assert sorted(map(str, there["row_key"])) == sorted(map(str, admitted.refused)), name
    assert sum(len(admitted.refused) for admitted in sources.values()) > 0, "the city has rows to refuse"


@pytest.mark.parametrize("day", ["first", "earlier"])
def test_every_figure_of_the_six_indicators(
    sources: Sources, first: First, day: str, request: pytest.FixtureRequest
) -> None:
    if day == "first":
        today, shown = first.business_date, first.released["indicator_values"]
    else:
        earlier: OtherDay = request.getfixturevalue("other_day")
        today, shown = EARLIER, earlier.values
    own = figures.indicator_values(sources, today, enterprise_links(first))
    both = own.merge(shown, on=PLACE, how="outer", suffixes=("", "_shown"), indicator=True)
    assert (both["_merge"] == "both").all(), both[both["_merge"] != "both"][PLACE].head()
    assert len(own) == 6 * 37 * 24
    for name in ("numerator", "denominator", "status"):
        wrong = both[both[name] != both[f"{name}_shown"]]
        assert wrong.empty, wrong[[*PLACE, name, f"{name}_shown"]].head(10)
    for name in ("value", "score"):
        wrong = both[~same(both[name], both[f"{name}_shown"])]
        assert wrong.empty, wrong[[*PLACE, name, f"{name}_shown"]].head(10)
    # The comparison has something to compare: every indicator counts something, in the district and in a town.
    seen = own[own["numerator"] > 0].groupby("indicator_code")["dimension"].nunique()
    assert seen.to_dict() == dict.fromkeys(figures.INDICATORS, 2), seen


def test_the_index_of_every_place_and_month(sources: Sources, first: First) -> None:
    own = figures.index_values(figures.indicator_values(sources, first.business_date, enterprise_links(first)))
    both = own.merge(first.released["scorecards"], on=PLACE[1:], how="outer", suffixes=("", "_shown"))
    assert len(both) == len(own) == 37 * 24
    for name in ("index_value", "weight_available_share"):
        wrong = both[~same(both[name], both[f"{name}_shown"])]
        assert wrong.empty, wrong.head(10)


def test_status_shows_the_figures_of_the_district(first: First) -> None:
    shown = first.released["indicator_values"]
    shown = shown[shown["dimension"] == "district"].set_index(["indicator_code", "period"])
    assert len(first.ran.status["indicators"]) == len(shown) == 6 * 24
    for row in first.ran.status["indicators"]:
        there = shown.loc[(row["code"], row["period"])]
        for name in ("numerator", "denominator", "value", "target", "score", "status"):
            assert row[name] == (None if pd.isna(there[name]) else there[name]), (row, name)


@pytest.mark.parametrize("kind", ["residents", "enterprises"])
def test_subjects_are_those_of_the_certified_numbers(sources: Sources, first: First, kind: str) -> None:
    own = person_records(sources) if kind == "residents" else enterprise_records(sources)
    one = kind.removesuffix("s")
    shown = first.released["subject_records"]
    shown = shown[shown["subject_kind"] == one]
    records = dict(zip(records_of(shown), shown["subject_id"], strict=True))
    assert records.keys() == own.keys()
    ids: dict[str, set[str]] = {}
    for record, number in own.items():
        if number:
            ids.setdefault(number, set()).add(records[record])
    assert all(len(found) == 1 for found in ids.values()), "one number, one id"
    # A firm may hold an old registration number beside its credit code; nobody holds two of a kind.
    for is_old in (False, True):
        held = [next(iter(found)) for number, found in ids.items() if number.startswith("REG") is is_old]
        assert len(held) == len(set(held)), "one id, one number"
    assert set(records.values()) == set(first.released[kind][f"{one}_id"])
    certified = shown[shown["is_certified"].astype(bool)]
    assert set(records_of(certified)) == {record for record, number in own.items() if number}


def test_residents_show_the_certified_number(sources: Sources, first: First) -> None:
    own = {number for number in person_records(sources).values() if number}
    shown = first.released["residents"]
    assert set(shown["citizen_no"].dropna()) == own
    assert shown["is_certified"].sum() == len(own)


def test_enterprises_show_the_certified_number(sources: Sources, first: First) -> None:
    own = {number for number in enterprise_records(sources).values() if number}
    shown = first.released["enterprises"]
    numbers = set(shown["uscc"].dropna()) | {"REG" + number for number in shown["registration_no"].dropna()}
    assert numbers == own


@pytest.mark.parametrize("kind", ["resident", "enterprise"])
def test_no_subject_holds_two_of_the_citys_people_or_firms(
    first: First, kind: str, record_property: Callable[[str, object], None]
) -> None:
    truth = first.truth["persons" if kind == "resident" else "enterprises"]
    shown = first.released["subject_records"]
    shown = shown[shown["subject_kind"] == kind]
    true_ids: dict[Record, str] = {(row.system, row.table, row.key): row.true_id for row in truth.itertuples()}
    ids: dict[Record, str] = {
        (row.system, row.table_name, row.record_key): row.subject_id for row in shown.itertuples()
    }
    known = ids.keys() & true_ids.keys()
    assert len(known) > 0.9 * len(ids)
    by_subject: dict[str, set[str]] = {}
    for record in known:
        by_subject.setdefault(ids[record], set()).add(true_ids[record])
    mixed = {subject: people for subject, people in by_subject.items() if len(people) > 1}
    assert not mixed, f"{len(mixed)} of {len(by_subject)} subjects hold more than one of the truth"
    record_property(f"{kind}_pair_recall", pair_recall(first, kind, true_ids))


def enterprise_links(first: First) -> dict[Record, str]:
    """The enterprise of every record, as released."""
    shown = first.released["subject_records"]
    shown = shown[shown["subject_kind"] == "enterprise"]
    return dict(zip(records_of(shown), shown["subject_id"], strict=True))


def pair_recall(first: First, kind: str, true_ids: dict[Record, str]) -> float:
    """Of all pairs of records that speak of the same person or firm, the share that has the same subject."""
    shown = first.released["subject_records"]
    shown = shown[shown["subject_kind"] == kind]
    groups: dict[str, list[str]] = {}
    for row in shown.itertuples():
        true_id = true_ids.get((row.system, row.table_name, row.record_key))
        if true_id is not None:
            groups.setdefault(true_id, []).append(row.subject_id)
    pairs = [one == other for subjects in groups.values() for one, other in combinations(subjects, 2)]
    return sum(pairs) / len(pairs)


def records_of(frame: pd.DataFrame) -> list[Record]:
    """The records that lines of subject_records speak of."""
    return list(frame[["system", "table_name", "record_key"]].itertuples(index=False, name=None))


def keys(rows: pd.DataFrame, system: str, table: str) -> list[str]:
    """Keys as raw writes them."""
    names = load_options(system, table)["key"]
    return ["|".join(str(value) for value in row) for row in rows[names].itertuples(index=False)]


def same(one: pd.Series, other: pd.Series) -> pd.Series:
    """Equal to the last digits that a division may differ in; empty equals empty."""
    one, other = one.astype(float), other.astype(float)
    return (one.isna() & other.isna()) | ((one - other).abs() <= 1e-12)
