"""The six indicators, their scores and the index, worked out in pandas from admitted rows of the four systems.

Written from the definitions in words: what is counted, for which month, in which town. Times are naive Shanghai time.
"""

from __future__ import annotations

import calendar
import csv
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from tests.e2e.contract_reading import Admitted
from tests.e2e.subjects import Enterprises, Record, rows_of
from warehouse.paths import DBT_PROJECT_DIR

MONTHS = 24
DISTRICT = "310115"
SMART = ("device", "video", "data_match")
FEWEST = 20
INDICATORS = (
    "smart_discovery_rate",
    "standard_disposal_rate",
    "on_time_closure_rate",
    "over_bed_rate",
    "food_licence_valid_rate",
    "dual_publication_rate",
)

# One thing counted: (town or None, month, whether it is in the numerator).
Count = tuple[str | None, str, bool]
Sources = dict[tuple[str, str], Admitted]


@dataclass(frozen=True)
class Calendar:
    """The months looked at from a business date."""

    today: dt.date

    @property
    def end(self) -> dt.datetime:
        """The first instant that is not known yet."""
        return dt.datetime.combine(self.today + dt.timedelta(days=1), dt.time())

    @property
    def months(self) -> list[str]:
        """The last 24 months, this one included."""
        last = self.today.year * 12 + self.today.month - 1
        return [f"{n // 12}-{n % 12 + 1:02d}" for n in range(last - MONTHS + 1, last + 1)]

    def last_day(self, month: str) -> dt.date:
        """Last day of a month."""
        year, number = map(int, month.split("-"))
        return dt.date(year, number, calendar.monthrange(year, number)[1])

    def is_open(self, month: str) -> bool:
        """Whether the month is not over yet."""
        return self.last_day(month) > self.today


def indicator_values(sources: Sources, today: dt.date, links: dict[Record, str]) -> pd.DataFrame:
    """Numerator, denominator, value, score and status by indicator, place and month.

    `links` names the enterprise of every record.
    """
    when = Calendar(today)
    enterprises = Enterprises(sources, links)
    towns = [row["town_code"] for row in _seed("towns")]
    definitions = {row["indicator_code"]: row for row in _seed("indicators")}
    counted = {
        **_case_counts(sources, when),
        "over_bed_rate": _over_bed(sources, when),
        "food_licence_valid_rate": _food_licences(sources, when, enterprises),
        "dual_publication_rate": _publications(sources, when, enterprises),
    }
    rows = []
    for code in INDICATORS:
        things = pd.DataFrame(counted[code], columns=["town", "month", "counts"])
        for dimension, places in (("district", [DISTRICT]), ("town", towns)):
            for place in places:
                here = things if dimension == "district" else things[things["town"] == place]
                sums = here.groupby("month")["counts"].agg(["sum", "count"])
                for month in when.months:
                    top, bottom = map(int, sums.loc[month]) if month in sums.index else (0, 0)
                    judged = _judge(definitions[code], top, bottom, when.is_open(month))
                    rows.append((code, dimension, place, month, top, bottom, *judged))
    names = ["indicator_code", "dimension", "dimension_code", "period", "numerator", "denominator"]
    return pd.DataFrame(rows, columns=[*names, "value", "score", "status"])


def index_values(values: pd.DataFrame) -> pd.DataFrame:
    """Σ weight·score ÷ Σ weight over what is available, and the share of weight that is."""
    weights = {row["indicator_code"]: float(row["weight"]) for row in _seed("indicators")}
    available = values[values["status"].isin(["good", "watch", "poor"])].copy()
    available["weight"] = available["indicator_code"].map(weights)
    available["weighted"] = available["weight"] * available["score"]
    place = ["dimension", "dimension_code", "period"]
    sums = available.groupby(place)[["weighted", "weight"]].sum()
    index = values[place].drop_duplicates().merge(sums, how="left", left_on=place, right_index=True)
    index["index_value"] = index["weighted"] / index["weight"]
    index["weight_available_share"] = index["weight"].fillna(0) / sum(weights.values())
    return index[[*place, "index_value", "weight_available_share"]]


def _seed(name: str) -> list[dict[str, str]]:
    with (DBT_PROJECT_DIR / "seeds" / f"seed_{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _judge(definition: dict[str, str], top: int, bottom: int, is_open: bool) -> tuple[float | None, float | None, str]:
    """Value, score and status by the rules of the domain."""
    if bottom == 0:
        return None, None, "not_applicable"
    value, target = top / bottom, float(definition["target"])
    if definition["direction"] == "up":
        score = min(max(value / target, 0.0), 1.25)
    else:
        score = 1.25 if value <= 0 else min(max(target / value, 0.0), 1.25)
    if is_open:
        return value, None, "too_early"
    if bottom < FEWEST:
        return value, score, "too_few"
    return value, score, "good" if score >= 1 else "watch" if score >= 0.9 else "poor"


def _month(moment: dt.date) -> str:
    return f"{moment.year}-{moment.month:02d}"


def _case_counts(sources: Sources, when: Calendar) -> dict[str, list[Count]]:
    """Smart discovery by month found; standard disposal and closure by month due. Valid cases only."""
    smart: list[Count] = []
    standard: list[Count] = []
    closed: list[Count] = []
    for case in rows_of(sources, "urban_management", "cases"):
        if case["found_at"] >= when.end or case["is_valid"] is not True:
            continue
        town = case["town_code"]
        smart.append((town, _month(case["found_at"]), case["channel"] in SMART))
        due = case["extended_to"] or case["due_at"]
        if due is None or due >= when.end:
            continue
        is_disposed = case["disposed_at"] is not None and case["disposed_at"] <= due
        is_checked = case["verified_at"] is None or case["verified_at"] < when.end
        standard.append((town, _month(due), is_disposed and is_checked and case["verify_result"] == "pass"))
        closed.append((town, _month(due), case["closed_at"] is not None and case["closed_at"] <= due))
    return {"smart_discovery_rate": smart, "standard_disposal_rate": standard, "on_time_closure_rate": closed}


def _homes(sources: Sources) -> Iterable[dict[str, object]]:
    return rows_of(sources, "care_homes", "institutions")


def _over_bed(sources: Sources, when: Calendar) -> list[Count]:
    """Every home on every day since it was filed: are more elders in residence than it has licensed beds?"""
    counts: list[Count] = []
    stays = rows_of(sources, "care_homes", "stays")
    first = dt.date.fromisoformat(when.months[0] + "-01")
    for home in _homes(sources):
        mine = [
            (stay["admitted_on"], stay["discharged_on"] or dt.date.max)
            for stay in stays
            if stay["home_no"] == home["home_no"]
        ]
        day = max(first, home["filed_on"] or first)
        while day <= when.today:
            in_residence = sum(1 for admitted, discharged in mine if admitted <= day < discharged)
            counts.append((home["town_code"], _month(day), in_residence > home["licensed_beds"]))
            day += dt.timedelta(days=1)
    return counts


def _food_licences(sources: Sources, when: Calendar, enterprises: Enterprises) -> list[Count]:
    """Every home at the end of every month (today, for the running one): is a food licence of its operator in force?"""
    licences = [
        (enterprises.of_fact("licences", licence), licence)
        for licence in rows_of(sources, "market_supervision", "licences")
        if licence["kind"] == "food" and licence["status"] != "revoked"
    ]
    counts: list[Count] = []
    for home in _homes(sources):
        operator = enterprises.of("care_homes", "institutions", home["home_no"])
        for month in when.months:
            day = min(when.last_day(month), when.today)
            if home["filed_on"] is not None and home["filed_on"] > day:
                continue
            is_valid = any(
                holder == operator
                and (licence["valid_from"] is None or licence["valid_from"] <= day)
                and (licence["valid_until"] is None or day <= licence["valid_until"])
                for holder, licence in licences
            )
            counts.append((home["town_code"], month, is_valid))
    return counts


def _publications(sources: Sources, when: Calendar, enterprises: Enterprises) -> list[Count]:
    """Publications by the month they were due: were they done by then? In the town of their enterprise."""
    counts: list[Count] = []
    for notice in rows_of(sources, "market_supervision", "lifecycle_notices"):
        if notice["double"] != "publication" or notice["due_at"] >= when.end:
            continue
        is_done = notice["done_at"] is not None and notice["done_at"] <= notice["due_at"]
        town = enterprises.town(enterprises.of_fact("lifecycle_notices", notice))
        counts.append((town, _month(notice["due_at"]), is_done))
    return counts
