"""A city lives on for ten restless days: whoever moves is told of, and a comparison of everything changes nothing.

A demo city by itself moves hardly anybody in ten days, so records come and go besides, lose numbers and find them
again, and hold other people's for a day.
"""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from demo.city.days import next_day
from demo.city.dirt import DirtRates
from demo.city.generation import generate
from demo.city.state import City
from identity.features.records import FIRM_INPUT, KEY, PERSON_INPUT
from identity.link import Linked, link
from identity.model import KINDS
from identity.queue import copy_rows
from tests.city_records import city_firms, city_persons
from tests.integration.review_queue import make_records
from warehouse.database import Database

RESIDENTS, DAYS = 200, 10
TABLES = {
    "resident": ("identity.int_person_records", PERSON_INPUT),
    "enterprise": ("identity.int_enterprise_records", FIRM_INPUT),
}
_IDS = """
select subject_kind, system, table_name, record_key, l.subject_id
from identity.current_links as l
inner join (
    select system, table_name, record_key, 'resident' as subject_kind from identity.int_person_records
    union all
    select system, table_name, record_key, 'enterprise' from identity.int_enterprise_records
) as r using (subject_kind, system, table_name, record_key)
"""
Ids = dict[tuple[str, ...], str]


class Hub:
    """A hub that is given whole cities, and takes of each what differs from the one before."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database, self.home, self.runs = database, home, 0
        self.held = {kind: pl.DataFrame(schema=dict.fromkeys(TABLES[kind][1], pl.String)) for kind in KINDS}
        make_records(database)

    def take(self, city: City, unrest: int | None = None) -> None:
        """Put the city's records in the place of those of the day before; only what differs is touched."""
        for kind, gathered in (("resident", city_persons(city)), ("enterprise", city_firms(city))):
            records = gathered if unrest is None else unsettled(gathered, unrest)
            table, columns = TABLES[kind]
            before = self.held[kind].cast(dict(records.schema))
            same = records.join(before, on=columns, how="semi", nulls_equal=True)
            news = records.join(same, on=KEY, how="anti")
            gone = before.join(same, on=KEY, how="anti").select(KEY)
            with self.database.psycopg("pipeline") as connection:
                connection.execute("create temp table gone (system text, table_name text, record_key text)")
                copy_rows(connection, "gone", KEY, gone)
                connection.execute(f"delete from {table} using gone where {_same('gone', table)}")
                copy_rows(connection, table, columns, news)
            self.held[kind] = records

    def link(self, *, full: bool = False) -> dict[str, Linked]:
        self.runs += 1
        return link(self.database, run_id=f"run {self.runs}", home=self.home, full=full)

    def ids(self) -> Ids:
        return {row[:4]: row[4] for row in self.rows(_IDS)}

    def rows(self, query: str, *values: object) -> list[tuple[str, ...]]:
        with self.database.psycopg("pipeline") as connection:
            return connection.execute(query, values).fetchall()

    def forget(self) -> None:
        """Empty ledgers, and the records in another order."""
        with self.database.psycopg("owner") as connection:
            connection.execute("truncate identity.links, identity.events, identity.subjects cascade")
        for kind in KINDS:
            table, columns = TABLES[kind]
            with self.database.psycopg("pipeline") as connection:
                connection.execute(f"truncate {table}")
                copy_rows(connection, table, columns, self.held[kind].sample(fraction=1, shuffle=True, seed=1))


def unsettled(records: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Of a hundred records three gone, three without number, three with another's, three with another's telephone."""
    rng = random.Random(seed)
    luck = pl.Series([rng.random() for _ in range(records.height)])
    numbers = [name for name in ("citizen_no", "citizen_no_key", "enterprise_key") if name in records.columns]
    phones = [name for name in ("phone",) if name in records.columns]

    return (
        records.with_columns(
            *(pl.when(luck.is_between(0.03, 0.06)).then(None).otherwise(pl.col(name)).alias(name) for name in numbers)
        )
        .with_columns(
            *(_lent(name, luck.is_between(0.06, 0.09)) for name in numbers),
            *(_lent(name, luck.is_between(0.09, 0.12)) for name in phones),
        )
        .filter(luck >= 0.03)
    )


def _lent(name: str, chosen: pl.Series) -> pl.Expr:
    return pl.when(chosen).then(pl.col(name).shift(7)).otherwise(pl.col(name)).alias(name)


def _same(one: str, other: str) -> str:
    return " and ".join(f"{one}.{column} = {other}.{column}" for column in KEY)


def check_told(hub: Hub, before: Ids, now: Ids) -> None:
    """Every record that went elsewhere is in an event, and so is every id that nobody speaks of any more."""
    told = hub.rows(
        "select event, subject_id, other_subject_id from identity.events where run_id = %s", f"run {hub.runs}"
    )
    went = {(old, new) for event, old, new in told if event in ("merged", "split")}
    assert {(before[key], now[key]) for key in before.keys() & now.keys() if before[key] != now[key]} <= went
    ended = {subject for event, subject, _ in told if event in ("merged", "retired")}
    assert set(before.values()) - set(now.values()) == ended


@pytest.fixture
def hub(database: Database, tmp_path: Path) -> Hub:
    return Hub(database, tmp_path)


def test_ten_days_rekey_nobody_without_an_event(hub: Hub) -> None:
    city = generate(RESIDENTS, 3, rates=DirtRates().doubled())
    hub.take(city)
    hub.link()
    ids = hub.ids()
    for day in range(DAYS):
        city = next_day(city)
        # On the last day everybody is back, with the own number.
        hub.take(city, unrest=day if day < DAYS - 1 else None)
        assert {done.mode for done in hub.link().values()} <= {"incremental", "unchanged"}
        before, ids = ids, hub.ids()
        check_told(hub, before, ids)
    told = {event for (event,) in hub.rows("select distinct event from identity.events")}
    assert {"split", "retired", "restored"} <= told, told
    # Re-run, and everything compared anew: nobody moves, nothing is told.
    assert {done.mode for done in hub.link().values()} == {"unchanged"}
    assert not any(done.resolved.changed for done in hub.link(full=True).values())
    assert hub.ids() == ids


def test_ids_do_not_depend_on_the_order_of_records(hub: Hub) -> None:
    hub.take(generate(RESIDENTS, 4, rates=DirtRates().doubled()))
    hub.link()
    ids = hub.ids()
    hub.forget()
    hub.link(full=True)
    assert hub.ids() == ids
