"""Search through the database function: what is found, what is shown, and that no value is kept."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from sharing.receipts import receipt
from sharing.search import search_subjects
from warehouse.errors import ConfigurationError

NUMBER = "11010519491231002X"


CASES: list[tuple[Any, str, list[tuple[str, str]]]] = [
    ("resident", "张三", [("R00000000000000a1", "name"), ("R00000000000000a2", "name_start")]),
    ("resident", " 张 三 ", [("R00000000000000a1", "name"), ("R00000000000000a2", "name_start")]),
    ("resident", "张", []),
    ("resident", "%三", []),
    ("resident", "_三丰", []),
    ("resident", "１１０１０５１９４９１２３１００２ｘ", [("R00000000000000a1", "citizen_no")]),
    ("resident", "110105491231002", [("R00000000000000a1", "citizen_no")]),
    ("resident", "110105194912310021", []),
    ("resident", "r00000000000000A2", [("R00000000000000a2", "subject_id")]),
    ("enterprise", "张江长者", [("E00000000000000b1", "name_part")]),
    ("enterprise", "上海张江", [("E00000000000000b1", "name_start")]),
    ("enterprise", "91110000600037341l", [("E00000000000000b1", "uscc")]),
    ("enterprise", "张三", []),
]


def test_search_finds_by_name_number_and_id(marts: Any) -> None:
    marts.publish()
    for kind, query, expected in CASES:
        found = search_subjects(marts.database, kind, query)
        assert [(row.subject_id, row.matched_by) for row in found] == expected, query


def test_search_shows_masked_rows_and_logs_the_call_without_its_value(marts: Any) -> None:
    assert search_subjects(marts.database, "resident", "张三") == []
    marts.publish()
    [row] = search_subjects(marts.database, "resident", NUMBER)
    assert (row.name, row.identifier, row.town_code) == ("张*", "110105********002X", "310115005")
    search_subjects(marts.database, "enterprise", "长者照护")

    log = marts.rows("select database_role, purpose, detail, row_count from ops.access_log order by 1, 3", "owner")
    assert log == [
        ("cityhub_reader", "search_subjects", "enterprise by name", 1),
        ("cityhub_reader", "search_subjects", "resident by citizen_no", 1),
    ]
    kept = str(marts.rows("select l::text from ops.access_log as l", "owner"))
    assert NUMBER not in kept
    assert "长者照护" not in kept


def test_an_unknown_kind_is_refused(marts: Any) -> None:
    with pytest.raises(ConfigurationError, match="resident or enterprise"):
        search_subjects(marts.database, "vessel", "张三")  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        marts.rows("select * from shared.search_subjects('vessel', '张三')")


def test_a_figure_has_its_receipt(marts: Any) -> None:
    with pytest.raises(ConfigurationError, match="no such figure"):
        receipt(marts.database, "closure", "district", "310115", "2026-05")
    published = marts.publish()
    figure = receipt(marts.database, "closure", "district", "310115", "2026-05")
    assert (figure.numerator, figure.denominator, figure.value) == (90, 100, 0.9)
    assert (figure.indicator_version, figure.formula_en) == ("1", "closed / filed")
    assert figure.release_id == published.release_id
    # Zero is not unknown: nothing to divide by is no value at all.
    assert receipt(marts.database, "closure", "town", "310115005", "2026-05").value is None
    with pytest.raises(ConfigurationError, match="2031-01"):
        receipt(marts.database, "closure", "district", "310115", "2031-01")
