"""What a department reads about a row that breaks a rule, for each kind of rule, in both languages; no value of it."""

from __future__ import annotations

import json
from typing import Any, get_args

import polars as pl
import pytest

from connectors.checks import check_batch
from connectors.checks.wording import reason_text
from connectors.contract import load_contracts
from connectors.contract.model import RuleKind
from expectations.admission import suite

RESIDENTS = load_contracts()["civil_affairs"].table("residents")
PLANTED = "绝密丙"
GOOD = {
    "person_no": "P1", "name": PLANTED, "id_no": "11010519491231002X", "sex": "男", "birth_on": "1949-12-31",
    "hukou_address": f"{PLANTED}路1号", "home_address": f"{PLANTED}路1号", "town_code": "310115005",
    "committee_code": "310115005001", "phone": "13900000000", "marital_status": "已婚", "died_on": None,
    "updated_at": "2026-06-30 08:00:00",
}  # fmt: skip
# Refuses the row, so that its warnings are on record too.
REFUSED = {"marital_status": PLANTED}
# Kind: what is changed in the rows delivered, the rule and column on record, what is read.
CASES: dict[str, tuple[list[dict[str, Any]], tuple[str, str | None], str, str]] = {
    "type": (
        [{"birth_on": f"{PLANTED}日"}], ("type", "birth_on"),
        "“出生日期”无法识别，应为日期，如 2026-06-30",
        "birth_on cannot be read: it should be a date such as 2026-06-30",
    ),
    "required": ([{"name": " "}], ("required", "name"), "“姓名”必填，不能为空", "name is required and is empty"),
    "enum": (
        [{"sex": PLANTED}], ("enum", "sex"),
        "“性别”不在允许的取值内：男、女", "sex is none of the allowed values: 男, 女",
    ),
    "range": (
        [{"birth_on": "1066-12-31"}], ("range", "birth_on"),
        "“出生日期”超出允许范围：不小于 1900-01-01", "birth_on is outside its range: at least 1900-01-01",
    ),
    "expression": (
        [{"died_on": "1931-01-01"}], ("died_after_birth", "died_on"),
        "“死亡日期”不得早于“出生日期”", "died_on must not be below birth_on",
    ),
    "pattern": (
        [REFUSED | {"committee_code": f"{PLANTED}委"}], ("pattern", "committee_code"),
        r"“村居委代码”格式不符，应符合 ^\d{12}$", r"committee_code is not of the form ^\d{12}$",
    ),
    "identifier": (
        [REFUSED | {"id_no": "110105194912310020"}], ("identifier", "id_no"),
        "“公民身份号码”应为校验位正确的公民身份号码", "id_no should be a citizen number whose check digit is right",
    ),
    "reference": (
        [REFUSED | {"town_code": "999999999"}], ("reference", "town_code"),
        "“街镇代码”不在代码表 towns 内", "town_code is not in the code list towns",
    ),
    "nul_byte": (
        [{"name": f"{PLANTED}\0"}], ("nul_byte", "name"),
        "“姓名”含有不可存储的空字符（NUL）", "name holds a NUL character, which cannot be stored",
    ),
    "unique_key": (
        [{}, {"name": f"{PLANTED}甲"}], ("unique_key", None),
        "同一主键（人员编号）有多行且内容不一致，无法判断以哪行为准",
        "several rows share the key (person_no) and differ; nothing says which is right",
    ),
    "duplicate_row": (
        [{}, {}], ("duplicate_row", None),
        "与同一批次的另一行完全重复", "an exact copy of another row of the same delivery",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_what_a_department_reads_about_a_row(kind: str) -> None:
    changes, (rule, column), chinese, english = CASES[kind]
    rows = [[(GOOD | change)[name] for name in RESIDENTS.column_names] for change in changes]
    schema = dict.fromkeys(RESIDENTS.column_names, pl.String())
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    checked = check_batch(RESIDENTS, frame, within_frame_keys=True, tokens=lambda numbers: list(numbers))
    recorded = [reason for text in checked.rejected["reasons"] for reason in json.loads(text)]
    (found, *_) = (reason for reason in recorded if (reason["rule"], reason["column"]) == (rule, column))
    assert (reason_text(RESIDENTS, found), reason_text(RESIDENTS, found, "en")) == (chinese, english)
    said = "".join(checked.rejected["reasons"]) + chinese + english
    changed = [value for change in changes for value in change.values() if value and value.strip()]
    assert not [value for value in (PLANTED, *changed) if value in said]


def test_a_promise_about_the_whole_table_is_told_by_the_gate() -> None:
    (told,) = (check for check in suite(RESIDENTS, 100) if check.name == "id_no_missing")
    assert (told.expected, told.severity, told.observes) == ("at most 30% empty", "warn", "share")


def test_no_kind_of_rule_is_left_out() -> None:
    assert set(get_args(RuleKind)) - {"missing_share"} <= set(CASES)
