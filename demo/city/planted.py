"""Findings that only the joined view can make, planted on purpose so that every city has some of each kind.

By which definitions the truth lists them, planted or grown by chance, is in `findings`.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city.draw import Rng, day, days, sample, stream
from demo.city.findings import ENTITLED_LEVEL, ENTITLING_BENEFITS, MANY_CASES


def how_many(residents: int) -> int:
    """Findings planted per kind: one for 4,000 residents, at least one."""
    return max(1, round(residents / 4000))


def deaths_in_bed(seed: int, count: int, clock: dt.date, stays: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """People who died while their stay runs on: true_id, died_on."""
    rng = stream(seed, "planted deaths in bed")
    admitted = dt.timedelta(days=70)
    present = stays.filter(
        pl.col("discharged_on").is_null()
        & pl.col("person").str.starts_with("P")
        & (pl.col("admitted_on") < clock - admitted)
    )
    chosen = present["person"][sample(rng, np.arange(present.height), count)]
    return pl.DataFrame({"true_id": chosen, "died_on": day(clock) - days(rng.integers(6, 60, len(chosen)))})


def allowance_with_capital(
    seed: int, count: int, firms: pl.DataFrame, benefits: pl.DataFrame, people: pl.DataFrame
) -> pl.DataFrame:
    """Firms, some of them now led by people who draw the minimum living allowance."""
    rng = stream(seed, "planted capital")
    adults = people.filter(pl.col("died_on").is_null() & (pl.col("birth_on") < dt.date(2003, 1, 1)))["true_id"]
    drawing = benefits.filter(
        (pl.col("kind") == "minimum_living") & pl.col("ended_on").is_null() & pl.col("person").is_in(adults.to_list())
    )["person"].unique(maintain_order=True)
    able = ((firms["kind"] == "company") & (firms["status"] == "active") & (firms["trade"] != "care_home")).to_numpy()
    count = min(count, len(drawing))
    chosen = sample(rng, np.flatnonzero(able), count)
    who = dict(zip(chosen.tolist(), drawing.head(count).to_list(), strict=False))
    index = pl.int_range(pl.len())
    return firms.with_columns(
        representative=index.replace_strict(who, default=pl.col("representative"), return_dtype=pl.String),
        registered_capital_cny=pl.when(index.is_in(list(who))).then(5_000_000.0).otherwise("registered_capital_cny"),
    )


def second_beds(seed: int, count: int, clock: dt.date, stays: pl.DataFrame, beds: pl.DataFrame) -> pl.DataFrame:
    """Further rows of stays: people already in a bed, admitted to a free bed of another home as well."""
    rng = stream(seed, "planted second beds")
    present = stays.filter(pl.col("discharged_on").is_null() & (pl.col("admitted_on") < clock - dt.timedelta(days=40)))
    taken = present["bed_no"].to_list()
    free = beds.filter(~pl.col("bed_no").is_in(taken) & ~pl.col("is_closed") & ~pl.col("is_extra"))
    rows: list[pl.DataFrame] = []
    used: set[str] = set()
    for i in sample(rng, np.arange(present.height), count):
        stay = present[int(i)]
        others = free.filter((pl.col("home_no") != stay["home_no"][0]) & ~pl.col("bed_no").is_in(list(used)))
        if others.height == 0:
            continue
        bed = others[int(rng.integers(others.height))]
        used.add(str(bed["bed_no"][0]))
        since = clock - dt.timedelta(days=int(rng.integers(3, 35)))
        rows.append(
            stay.with_columns(
                home_no=pl.lit(bed["home_no"][0]),
                bed_no=pl.lit(bed["bed_no"][0]),
                admitted_on=pl.lit(since),
                stay_no=pl.lit(f"RZ9{len(rows):05d}"),
                updated_at=pl.lit(since).cast(pl.Datetime("us")) + pl.duration(hours=10),
            )
        )
    return pl.concat([stays, *rows])


def basic_beds(seed: int, count: int, stays: pl.DataFrame, benefits: pl.DataFrame) -> pl.DataFrame:
    """Stays with basic beds given to about half of the entitled, and to `count` who are not."""
    rng = stream(seed, "basic beds")
    entitled = entitled_stays(stays, benefits).to_numpy()
    wrong = sample(rng, np.flatnonzero(~entitled & stays["discharged_on"].is_null().to_numpy()), count)
    given = entitled & (rng.random(stays.height) < 0.5)
    given[wrong] = True
    return stays.with_columns(is_basic_bed=pl.Series(given))


def entitled_stays(stays: pl.DataFrame, benefits: pl.DataFrame) -> pl.Series:
    """Whether each elder is entitled to a basic bed: level 4 and above, or an entitling benefit in force."""
    running = benefits.filter(pl.col("kind").is_in(ENTITLING_BENEFITS) & pl.col("ended_on").is_null())["person"]
    return stays.select(
        (pl.col("care_level") >= ENTITLED_LEVEL) | pl.col("person").is_in(running.to_list())
    ).to_series()


def troubled_homes(
    seed: int, clock: dt.date, firms: pl.DataFrame, homes: pl.DataFrame, licences: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Firms and licences with one home in twelve run by an abnormal firm and one in ten without a food licence."""
    rng = stream(seed, "planted homes")
    chosen = rng.permutation(homes.height)
    abnormal = max(1, homes.height // 12)
    without = max(1, homes.height // 10)
    bad = homes["firm"][chosen[:abnormal]].to_list()
    hungry = homes["firm"][chosen[-without:]].to_list()
    firms = firms.with_columns(
        status=pl.when(pl.col("true_id").is_in(bad)).then(pl.lit("abnormal")).otherwise("status")
    )
    ended = clock - dt.timedelta(days=int(rng.integers(10, 120)))
    food = pl.col("firm").is_in(hungry) & (pl.col("kind") == "food")
    licences = licences.with_columns(
        valid_until=pl.when(food & (pl.col("valid_until") > ended)).then(pl.lit(ended)).otherwise("valid_until")
    ).with_columns(valid_from=pl.min_horizontal("valid_from", "valid_until"))
    return firms, licences


def crowded_firms(seed: int, count: int, clock: dt.date, cases: pl.DataFrame, quiet: pl.Series) -> pl.DataFrame:
    """Cases, of which some recent ones of shops now concern the same few otherwise quiet firms."""
    rng = stream(seed, "planted cases")
    recent = (cases["found_at"].dt.date() > clock - dt.timedelta(days=300)) & cases["_party"].is_not_null()
    pool = np.flatnonzero(
        (recent & cases["is_valid"] & cases["scenario_code"].is_in(["street_order", "shop_signs"])).to_numpy()
    )
    chosen = sample(rng, pool, count * (MANY_CASES + 3))
    names = quiet.to_list()[:count]
    if not names:
        return cases
    party = cases["_party"].to_list()
    for i, case in enumerate(chosen.tolist()):
        party[case] = names[i % len(names)]
    return cases.with_columns(_party=pl.Series(party, dtype=pl.String))


def staff_without_papers(seed: int, count: int, clock: dt.date, staff: pl.DataFrame) -> pl.DataFrame:
    """Staff, some caregivers on post with a health certificate that ran out."""
    rng: Rng = stream(seed, "planted staff")
    pool = np.flatnonzero((staff["on_post"] & (staff["role"] == "caregiver")).to_numpy())
    chosen = sample(rng, pool, count).tolist()
    past = clock - dt.timedelta(days=int(rng.integers(5, 90)))
    return staff.with_columns(
        health_cert_until=pl.when(pl.int_range(pl.len()).is_in(chosen))
        .then(pl.lit(past))
        .otherwise("health_cert_until")
    )
