"""What the tests do to the city's systems: faults of structure, rows that must be refused, personal values to look for.

The faults of structure are the demo's own (`demo.faults`); `demo.faults.repair` takes everything back.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from demo import faults
from tests.e2e.systems import drops

# Key of the citizens' tokens in both homes: as secret as the numbers themselves.
TOKEN_KEY = "planted-token-key-of-both-homes"


@dataclass(frozen=True)
class Fault:
    """A planted fault and where it must stop.

    Attributes:
        table: the table that must be stopped; the system's other tables go on.
        state: `held` (delivered, refused) or `stale` (could not be pulled).
        word: what the reason must name.
    """

    system: str
    table: str
    state: str
    word: str
    plant: Callable[[Path], None]


# Two tables in every system, each failing in a way of its own.
FAULTS = (
    Fault(
        "civil_affairs", "care_assessments", "held", "marked deleted",
        lambda home: faults.shrink_table(home, "civil_affairs", "care_assessments", 0.4),
    ),
    Fault(
        "civil_affairs", "benefits", "held", "monthly_cny",
        lambda home: faults.rename_column(home, "civil_affairs", "benefits", "monthly_cny", "amount_cny"),
    ),
    Fault(
        "market_supervision", "licences", "held", "licences",
        lambda home: faults.half_page(home, "licences", 1),
    ),
    Fault(
        "market_supervision", "lifecycle_notices", "stale", "HTTP 500",
        lambda home: faults.rest_error_at_page(home, "lifecycle_notices", 2),
    ),
    Fault(
        "urban_management", "waste_weighings", "held", "is_sorted_ok",
        lambda home: faults.rename_column(home, "urban_management", "waste_weighings", "is_sorted_ok", "sorted_ok"),
    ),
    Fault(
        "urban_management", "sites", "held", "admission gate",
        lambda home: faults.retype(home, "urban_management", "sites", "kind"),
    ),
    Fault(
        "care_homes", "stays", "held", "truncated",
        lambda home: faults.truncate_drop(home, "stays.xlsx"),
    ),
    Fault(
        "care_homes", "staff", "held", "on_post no longer reads as boolean",
        lambda home: faults.retype(home, "care_homes", "staff", "on_post"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """A made-up person whose values occur nowhere else."""

    name: str
    number: str
    phone: str

    def values(self) -> list[str]:
        """What must not be found."""
        return [self.name, self.number, self.phone]


REFUSED_RESIDENT = Person("䶮𠀾甲", "110105194912310029", "19900017001")
REFUSED_LEGAL_REP = Person("䶮𠀾乙", "440524188001010022", "19900017002")
REFUSED_REPORTER = Person("䶮𠀾丙", "110105194912310037", "19900017003")
STAFF_IN_HELD_BATCH = Person("䶮𠀾丁", "440524188001010030", "19900017004")
PEOPLE = {
    "resident": REFUSED_RESIDENT,
    "legal representative": REFUSED_LEGAL_REP,
    "reporter": REFUSED_REPORTER,
    "staff": STAFF_IN_HELD_BATCH,
}


def people_to_refuse(home: Path) -> None:
    """A row with personal values in each system: three that break their contract, one in the batch that is held."""
    one = REFUSED_RESIDENT
    with psycopg.connect(host=str(home / "postgres"), user="postgres", dbname="city_civil_affairs") as connection:
        connection.execute(
            "insert into residents (person_no, name, id_no, sex, phone, home_address, updated_at)"
            " select 'CA99999999', %s, %s, '未知', %s, %s, max(updated_at) from residents",
            [one.name, one.number, one.phone, f"{one.name}收"],
        )
    store = sqlite3.connect(home / "demo/market_supervision.sqlite")
    with store:
        changed, body = store.execute("select changed, body from enterprises order by changed desc limit 1").fetchone()
        given = {
            **json.loads(body),
            "uscc": "91310115MA9TEST001",
            "kind": "外国企业",
            "legal_rep_name": REFUSED_LEGAL_REP.name,
            "legal_rep_id_no": REFUSED_LEGAL_REP.number,
            "address": REFUSED_LEGAL_REP.phone,
        }
        store.execute(
            "insert into enterprises (key, changed, body) values (?, ?, ?)",
            [given["uscc"], changed, json.dumps(given, ensure_ascii=False)],
        )
    store.close()
    cases = sqlite3.connect(home / "demo/urban_management.sqlite")
    with cases:
        # The latest case is inside every overlap window.
        cases.execute(
            "update cases set reporter_name = ?, reporter_phone = ?, party_name = ?, channel = 'wechat'"
            " where case_no = (select case_no from cases order by updated_at desc limit 1)",
            [REFUSED_REPORTER.name, REFUSED_REPORTER.phone, REFUSED_REPORTER.number],
        )
    cases.close()

    def one_more(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        wrong = {
            "staff_no": "RY999999", "name": STAFF_IN_HELD_BATCH.name, "id_no": STAFF_IN_HELD_BATCH.number,
            "qualification": STAFF_IN_HELD_BATCH.phone,
        }  # fmt: skip
        return [*rows, {**rows[0], **wrong}]

    rewrite_csv(home, "staff.csv", one_more)


def one_home_less(home: Path) -> None:
    """A whole, well-formed delivery in which a home is missing that elders live in: no gate of the table can know."""
    faults.truncate_drop(home, "institutions.csv", share=1.0)  # keeps the undamaged drop for the repair
    rewrite_csv(home, "institutions.csv", lambda rows: rows[1:])


def rewrite_csv(home: Path, file: str, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    """Deliver a CSV of the newest drop anew, with a manifest that agrees."""
    drop = drops(home)[-1]
    rows = list(csv.DictReader(io.StringIO((drop / file).read_bytes().decode("gb18030"), newline="")))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    changed = change(rows)
    writer.writerows(changed)
    content = out.getvalue().encode("gb18030")
    (drop / file).write_bytes(content)
    manifest: dict[str, Any] = json.loads((drop / "_manifest.json").read_text("utf-8"))
    manifest["files"][file] = {"rows": len(changed), "sha256": hashlib.sha256(content).hexdigest()}
    (drop / "_manifest.json").write_text(json.dumps(manifest), "utf-8")
