"""Row checks: which values are read, which rows are refused with which reasons, and that no row is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.checks import Checked, RowChecks, check_batch
from connectors.checks.values import polars_type, read_values
from connectors.contract import load_contracts
from connectors.contract.ddl import typed_columns
from connectors.transports.received import positions
from warehouse.errors import ContractError, HeldBatch

STAYS = load_contracts()["care_homes"].table("stays")
STAY: dict[str, str | None] = {
    "stay_no": "S1",
    "home_no": "H1",
    "bed_no": "B1",
    "name": "王小明",
    "id_no": "310115600101001",
    "sex": "M",
    "birth_on": "1960-01-01",
    "care_level": "3",
    "admitted_on": "2024/1/5",
    "discharged_on": None,
    "monthly_fee_cny": "3,000.5",
    "has_contract": "是",
    "emergency_contact": "13912345678",
    "is_basic_bed": "否",
    "updated_at": "2024-01-05 10:00:00",
}

GOOD = pl.Schema({name: polars_type(kind) for name, kind in typed_columns(STAYS)})


def tokens(numbers: Sequence[str]) -> list[str]:
    """Tokens that a test can read."""
    return [f"token of {number}" for number in numbers]


def check(*changes: dict[str, str | None], **options: Any) -> Checked:
    rows = [{**STAY, **change} for change in changes]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(STAY, pl.String()))
    return check_batch(STAYS, frame.with_columns(positions(row=range(2, 2 + len(rows)))), tokens=tokens, **options)


def reasons(checked: Checked, row: int = 0) -> list[tuple[str, str | None, str]]:
    return [(r["rule"], r["column"], r["severity"]) for r in json.loads(checked.rejected["reasons"][row])]


def test_a_good_row_is_typed_and_its_identifier_tokenised() -> None:
    checked = check({})
    assert checked.rejected.is_empty()
    assert checked.good.schema == GOOD
    row = checked.good.row(0, named=True)
    assert row["admitted_on"] == date(2024, 1, 5)
    assert row["monthly_fee_cny"] == Decimal("3000.50")
    assert (row["has_contract"], row["is_basic_bed"], row["care_level"]) == (True, False, 3)
    assert row["updated_at"] == datetime(2024, 1, 5, 2, tzinfo=UTC)
    assert (row["_id_no_key"], row["_id_no_grade"]) == ("token of 310115196001010017", "certified")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stay_no": "  "}, ("required", "stay_no", "reject")),
        ({"admitted_on": "2024-02-30"}, ("type", "admitted_on", "reject")),
        ({"monthly_fee_cny": "about 3000"}, ("type", "monthly_fee_cny", "reject")),
        ({"care_level": "2.5"}, ("type", "care_level", "reject")),
        ({"care_level": "99999999999"}, ("type", "care_level", "reject")),
        ({"has_contract": "也许"}, ("type", "has_contract", "reject")),
        ({"sex": "男"}, ("enum", "sex", "reject")),
        ({"care_level": "7"}, ("range", "care_level", "reject")),
        ({"birth_on": "1899-12-31"}, ("range", "birth_on", "reject")),
        ({"monthly_fee_cny": "-0.01"}, ("range", "monthly_fee_cny", "reject")),
        ({"discharged_on": "2024-01-04"}, ("discharged_after_admission", "discharged_on", "reject")),
        ({"emergency_contact": "139\x00"}, ("nul_byte", "emergency_contact", "reject")),
    ],
)
def test_a_broken_rule_refuses_the_row(change: dict[str, str | None], reason: tuple[str, str, str]) -> None:
    checked = check(change, {"stay_no": "S2"})
    assert reasons(checked) == [reason]
    assert checked.good["stay_no"].to_list() == ["S2"]
    assert checked.rejected["position"].to_list() == ['{"row":2}']


def test_every_reason_is_kept_and_the_row_is_whole() -> None:
    change = {"name": "", "sex": "x", "discharged_on": "2023-01-01", "id_no": "3101********", "bed_no": 'B"\\u0000\x00'}
    checked = check(change)
    assert reasons(checked) == [
        ("nul_byte", "bed_no", "reject"),
        ("required", "name", "reject"),
        ("identifier", "id_no", "warn"),
        ("enum", "sex", "reject"),
        ("discharged_after_admission", "discharged_on", "reject"),
    ]
    received = {**STAY, **change, "bed_no": 'B"\\u0000\u2400'}
    assert json.loads(checked.rejected["payload"][0]) == received
    assert checked.rejected["row_key"].to_list() == ["S1"]
    assert checked.rejections["name_required"] == 1


@pytest.mark.parametrize("number", ["310115********0017", "310115196001010018", "无", "abc", None])
def test_dirt_in_a_citizen_number_never_refuses_a_row(number: str | None) -> None:
    checked = check({"id_no": number})
    assert checked.good.height == 1
    assert checked.good["_id_no_key"][0] is None
    assert checked.good["id_no"][0] == number
    assert checked.warnings == ({} if number in ("无", None) else {"id_no_identifier": 1})


def test_unknown_codes_and_odd_phones_are_counted_only() -> None:
    table = load_contracts()["civil_affairs"].table("residents")
    row = dict.fromkeys(table.column_names) | {"person_no": "1", "name": "王", "updated_at": "2024-01-05 10:00:00"}
    rows = [row | {"town_code": "310115999", "phone": "12"}, row | {"town_code": "310115005", "phone": "13912345678"}]
    checked = check_batch(table, pl.DataFrame(rows), tokens=tokens)
    assert checked.good.height == 2
    assert checked.warnings == {"town_code_known": 1, "phone_pattern": 1}


@pytest.mark.parametrize("pattern", [r"^(?!0)\d+$", r"^(\d)\1$", r"^a(?<=a)b$"])
def test_a_pattern_that_no_row_can_be_held_against_is_refused_by_name(pattern: str) -> None:
    columns = tuple(replace(c, pattern=pattern) if c.name == "bed_no" else c for c in STAYS.columns)
    with pytest.raises(ContractError, match="cannot be read") as caught:
        RowChecks(replace(STAYS, columns=columns))
    assert caught.value.where == "file care_homes.yaml, table stays, column bed_no, rule pattern"


def test_repeated_keys_inside_a_frame() -> None:
    checked = check(
        {}, {}, {"stay_no": "S2"}, {"stay_no": "S2", "bed_no": "B2"}, {"stay_no": "S3"}, within_frame_keys=True
    )
    assert checked.good["stay_no"].to_list() == ["S1", "S3"]
    assert [reasons(checked, row)[0][0] for row in range(3)] == ["duplicate_row", "unique_key", "unique_key"]
    assert check({}, {}).good.height == 2


def test_a_missing_column_holds_the_batch() -> None:
    frame = pl.DataFrame([STAY], schema=dict.fromkeys(STAY, pl.String())).rename({"bed_no": "bed"})
    with pytest.raises(HeldBatch, match="bed_no"):
        check_batch(STAYS, frame, tokens=tokens)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-05",
        "2024/1/5",
        "20240105",
        "2024.1.5",
        "2024年1月5日",
        "45296",
        "2024-01-05 00:00:00",
        "２０２４-０１-０５",
    ],
)
def test_the_forms_a_day_may_have(text: str) -> None:
    assert read_values(pl.Series([text, None]), "date").to_list() == [date(2024, 1, 5), None]


@pytest.mark.parametrize("text", ["2024-02-30", "0000-01-01", "2024-01-05 13:00", "99999", "5", "05/01/2024", "x"])
def test_what_is_not_a_day(text: str) -> None:
    assert read_values(pl.Series([text]), "date").to_list() == [None]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-05 10:11:00",
        "2024-01-05T10:11",
        "2024-01-05T02:11:00Z",
        "2024-01-05T10:11:00.000+08:00",
        "2024-01-04T22:41:00-0330",
        "2024/1/5 10:11:00",
        "2024年1月5日 10:11",
    ],
)
def test_the_forms_a_moment_may_have(text: str) -> None:
    moment = datetime(2024, 1, 5, 2, 11, tzinfo=UTC)
    assert read_values(pl.Series([text, None]), "timestamptz", "Asia/Shanghai").to_list() == [moment, None]


def test_a_local_time_that_a_clock_change_left_out_cannot_be_read() -> None:
    texts = pl.Series(["1986-05-04 02:30:00", "24:00"])
    assert read_values(texts, "timestamptz", "Asia/Shanghai").to_list() == [None, None]


def test_decimals_are_rounded_as_postgres_and_accounts_do() -> None:
    texts = [
        "2.505",
        "2.515",
        "-2.505",
        "0.125",
        "2.5049999",
        "２．５０５",
        "1,000.005",
        "999999999999.995",
        "2.5",
        "x",
    ]
    found = read_values(pl.Series(texts), "numeric(14,2)").to_list()
    told = [None if value is None else str(value) for value in found]
    assert told == ["2.51", "2.52", "-2.51", "0.13", "2.50", "2.51", "1000.01", None, "2.50", None]
    # As many digits as there are leave no room for a closer look.
    assert read_values(pl.Series(["1.5"]), "numeric(38,1)").to_list() == [Decimal("1.5")]


def test_numbers_and_booleans_as_clerks_write_them() -> None:
    texts = pl.Series(["1,234", "１２３", "1e3", "12,34", "7.0", "-5", "x", None])
    assert read_values(texts, "integer").to_list() == [1234, 123, 1000, None, 7, -5, None, None]
    decimals = pl.Series(["1.235", "1,234.56", "9999999999999.99", "nan"])
    expected = [Decimal("1.24"), Decimal("1234.56"), None, None]
    assert read_values(decimals, "numeric(14,2)").to_list() == expected
    words = pl.Series(["是", "否", "TRUE", "0", "Ｙ", "maybe"])
    assert read_values(words, "boolean").to_list() == [True, False, True, False, True, None]


cell = st.one_of(st.none(), st.sampled_from(["", "S1", "2024-01-05", "20240105", "-1", "是", "M", "１", "\x00", "1e9"]))


@settings(max_examples=60)
@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(STAY, cell | st.text(max_size=12))), max_size=6))
def test_no_row_is_lost_whatever_arrives(changes: list[dict[str, str | None]]) -> None:
    checked = check(*changes, within_frame_keys=True)
    assert checked.good.height + checked.rejected.height == len(changes)
    assert checked.good.schema == GOOD
    for row in checked.rejected.iter_rows(named=True):
        json.loads(row["payload"])
        assert any(reason["severity"] == "reject" for reason in json.loads(row["reasons"]))
