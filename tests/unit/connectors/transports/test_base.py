"""Values as text, positions, signatures and cursor times: what the transports share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.transports.base import as_text, text_column
from connectors.transports.clock import since
from connectors.transports.received import positions
from connectors.transports.signing import signature


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.10"), "0.10"),
        (datetime(2026, 6, 30, 8, 0, 0, 5), "2026-06-30 08:00:00.000005"),
        (datetime(2026, 6, 30, tzinfo=UTC), "2026-06-30 00:00:00+00:00"),
        (date(1, 1, 1), "0001-01-01"),
        (b"\xe6\x9d\x8e", "李"),
        (0.1, "0.1"),
    ],
)
def test_a_value_is_written_exactly(value: Any, text: str | None) -> None:
    assert as_text(value) == text


def test_half_a_surrogate_pair_stays_recognisable() -> None:
    assert text_column("x", ["a\ud83d", None, 1]).to_list() == ["a\\ud83d", None, "1"]


def test_positions_are_one_json_object_a_row() -> None:
    found = positions(file='a"b.csv', line=[3, 4]).struct.json_encode()
    assert found.to_list() == ['{"file":"a\\"b.csv","line":3}', '{"file":"a\\"b.csv","line":4}']


def test_signature_is_the_agreed_one() -> None:
    # Made with `openssl dgst -sha256 -hmac key` over the five lines.
    expected = "9cd2510f"
    made = signature(b"key", "GET", "/v1/x?page=1&size=2", "1751241600", "n")
    assert len(made) == 64
    assert made[:8] == expected


def test_pull_starts_an_overlap_before_the_cursor(contract: Any) -> None:
    (table,) = contract("sql", load_mode="incremental", cursor="at", overlap_minutes=1440).tables
    assert str(since(table, "2026-06-30T08:00:00+08:00")) == "2026-06-29 08:00:00+08:00"
    assert str(since(table, "2026-06-30")) == "2026-06-29 00:00:00+08:00"
    assert since(table, None) is None


def test_whole_numbers_of_any_length_are_exact() -> None:
    assert text_column("x", [1, None, 2**70]).to_list() == ["1", None, "1180591620717411303424"]
    assert text_column("x", [1, None, True]).to_list() == ["1", None, "true"]
