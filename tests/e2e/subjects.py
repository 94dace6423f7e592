"""Residents and enterprises by certified identifiers, worked out from admitted rows of the four systems.

A record that certifies belongs to the subject of its identifier; whom the others belong to is for linkage to say, and
for `identity evaluate` to judge.
"""

from __future__ import annotations

from typing import Any

from tests.e2e.arithmetic import citizen_number, enterprise_number
from tests.e2e.contract_reading import Admitted

Sources = dict[tuple[str, str], Admitted]
Row = dict[str, Any]
Record = tuple[str, str, str]
# A subject by its id; None where no record speaks of one.
Subject = str | None

FACTS = {
    "licences": "licence_no",
    "inspections": "inspection_no",
    "penalties": "penalty_no",
    "special_equipment": "equipment_no",
    "lifecycle_notices": "notice_no",
}
# Who is believed first about the town of a firm; facts and cases say nothing about it.
TOWN_SOURCES = (("market_supervision", "enterprises", "uscc"), ("care_homes", "institutions", "home_no"))


def rows_of(sources: Sources, system: str, table: str) -> list[Row]:
    """The admitted rows of a table, as dictionaries."""
    return sources[system, table].rows.to_dict("records")


def person_records(sources: Sources) -> dict[Record, str | None]:
    """Every record that speaks of a person, with the citizen number that certifies it."""
    found: dict[Record, str | None] = {}
    for system, table, key, number, name in (
        ("civil_affairs", "residents", "person_no", "id_no", "name"),
        ("care_homes", "stays", "stay_no", "id_no", "name"),
        ("care_homes", "staff", "staff_no", "id_no", "name"),
        ("market_supervision", "enterprises", "uscc", "legal_rep_id_no", "legal_rep_name"),
        ("urban_management", "cases", "case_no", None, "reporter_name"),
    ):
        for row in rows_of(sources, system, table):
            given = row[number] if number else None
            if row[name] is not None or given is not None:
                found[system, table, row[key]] = citizen_number(given)
    return found


def enterprise_records(sources: Sources) -> dict[Record, str | None]:
    """Every record that speaks of a firm, with the credit code or registration number that certifies it."""
    found: dict[Record, str | None] = {}
    for row in rows_of(sources, "market_supervision", "enterprises"):
        found["market_supervision", "enterprises", row["uscc"]] = enterprise_number(row["uscc"])
    texts = {key for _, _, key in found}
    numbers = {number for number in found.values() if number}
    for row in rows_of(sources, "care_homes", "institutions"):
        found["care_homes", "institutions", row["home_no"]] = enterprise_number(row["uscc"])
    for row in rows_of(sources, "urban_management", "sites"):
        if row["property_uscc"] is not None:
            found["urban_management", "sites", row["site_no"]] = enterprise_number(row["property_uscc"])
    for row in rows_of(sources, "urban_management", "cases"):
        if row["party_name"] is not None or row["party_uscc"] is not None:
            found["urban_management", "cases", row["case_no"]] = enterprise_number(row["party_uscc"])
    # A fact of a firm that the register knows is no record of its own: the register speaks for the firm.
    for table, key in FACTS.items():
        for row in rows_of(sources, "market_supervision", table):
            number = enterprise_number(row["uscc"])
            if row["uscc"] not in texts and number not in numbers:
                found["market_supervision", table, row[key]] = number
    return found


class Enterprises:
    """Which enterprise a record or a market fact belongs to."""

    def __init__(self, sources: Sources, links: dict[Record, str]) -> None:
        self._links = links
        numbers = enterprise_records(sources)
        self._by_number = {number: links[record] for record, number in numbers.items() if number}
        self._towns: dict[str, str] = {}
        for system, table, key in TOWN_SOURCES:
            # The latest word of a source counts.
            rows = rows_of(sources, system, table)
            rows.sort(key=lambda row: str(row.get("updated_at")), reverse=True)
            for row in rows:
                if row["town_code"] is not None:
                    self._towns.setdefault(self._links[system, table, row[key]], row["town_code"])

    def of(self, system: str, table: str, key: str) -> Subject:
        """The enterprise of a record."""
        return self._links.get((system, table, key))

    def of_fact(self, table: str, fact: Row) -> Subject:
        """The enterprise of a licence, inspection, penalty, equipment or notice: by the register row it names, by
        certified number, or its own."""
        return (
            self._links.get(("market_supervision", "enterprises", fact["uscc"]))
            or self._by_number.get(enterprise_number(fact["uscc"]))
            or self._links.get(("market_supervision", table, fact[FACTS[table]]))
        )

    def town(self, enterprise: Subject) -> str | None:
        """The town of an enterprise, by the source believed first."""
        return self._towns.get(enterprise) if enterprise else None
