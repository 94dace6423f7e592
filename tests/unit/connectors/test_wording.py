"""Every reason a row can be refused or marked for has a sentence in both languages."""

from __future__ import annotations

import re

import pytest

from connectors.checks.wording import TEXTS, position_text, reason_text
from connectors.contract import Rule, TableContract, load_contracts

TABLES = [table for contract in load_contracts().values() for table in contract.tables]


def _label(rule: Rule) -> str:
    return rule.name if rule.kind == "expression" else rule.kind


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.system}.{table.name}")
def test_every_rule_of_every_contract_has_its_sentences(table: TableContract) -> None:
    for rule in table.all_rules:
        if rule.kind == "missing_share":
            continue
        reason = {"rule": _label(rule), "column": rule.column, "severity": rule.severity}
        chinese, english = reason_text(table, reason), reason_text(table, reason, "en")
        assert "不符合规则" not in chinese
        assert re.search("[\u4e00-\u9fff]", chinese)
        if rule.kind != "pattern":
            assert "?" not in chinese + english
        assert "None" not in chinese + english
        if rule.column and rule.kind != "expression":
            assert table.column(rule.column).zh in chinese
            assert rule.column in english


def test_a_rule_that_is_gone_is_told_by_its_name() -> None:
    assert reason_text(TABLES[0], {"rule": "old_rule", "column": None}) == "不符合规则 old_rule"
    assert "gone_column" in reason_text(TABLES[0], {"rule": "required", "column": "gone_column"})


def test_texts_come_in_pairs() -> None:
    assert all(chinese and english for chinese, english in TEXTS.values())


@pytest.mark.parametrize(
    ("position", "chinese", "english"),
    [
        ({"file": "2026-06-30/a.csv", "line": 3}, "文件 2026-06-30/a.csv 第 3 行", "2026-06-30/a.csv, line 3"),
        ({"page": 2, "index": 0}, "第 2 页第 1 条", "page 2, item 1"),
        ({"row": 12}, "查询结果第 12 行", "row 12"),
        (None, "", ""),
    ],
)
def test_a_place_at_the_source_is_told_as_people_count(
    position: dict[str, object] | None, chinese: str, english: str
) -> None:
    assert (position_text(position), position_text(position, "en")) == (chinese, english)
