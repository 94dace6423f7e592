"""Care homes in truth: homes, beds, who stays when, staff and filed prices."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city.draw import NO_DAY, Array, Rng, chance, clock_times, counted, day, days, pick, sample, stream, weighted
from demo.city.geography import DISTRICT, TOWNS, Geography

RESIDENTS_PER_HOME = 833
BED_SHARE = 0.026  # occupied places per resident of the district
MEAN_STAY_DAYS = 950
QUALIFICATIONS = {
    "caregiver": "养老护理员",
    "nurse": "护士执业证",
    "doctor": "医师执业证",
    "manager": "养老机构院长岗位证",
    "cook": "中式烹调师",
    "other": "社会工作者",
}
PRICE_ITEMS = {"bed_ordinary": 2200, "bed_nursing": 3000, "bed_memory_care": 3800, "care_per_level": 420, "meals": 950}


def count_for(residents: int) -> int:
    """Number of homes for a district of that many residents: at least two."""
    return max(2, residents // RESIDENTS_PER_HOME)


def build_homes(seed: int, residents: int, clock: dt.date, geography: Geography, firms: pl.DataFrame) -> pl.DataFrame:
    """Homes run by the first firms.

    Columns: home_no, firm, name, uscc, licensed_beds, basic_beds, filed_on, star, address, town, capacity (places that
    can be occupied), fill (share occupied), over_from (first day extra places were used; missing where never).
    """
    rng = stream(seed, "homes")
    count = count_for(residents)
    operators = firms.filter(pl.col("trade") == "care_home")
    size = rng.lognormal(0, 0.55, count)
    places = np.maximum(4, np.round(size / size.sum() * residents * BED_SHARE)).astype(int)
    elder_care = geography.towns["elder_care"].to_numpy()[operators["town"].to_numpy()]
    fill = np.clip(rng.normal(0.86, 0.09, count), 0.55, 0.99)
    licensed = np.maximum(places + 1, np.round(places / fill)).astype(int)
    # The homes of the least careful towns take in more than they are licensed for.
    over = np.argsort(elder_care + rng.normal(0, 0.4, count))[: max(1, round(count * 0.14))]
    licensed[over] = np.maximum(3, np.floor(places[over] * rng.uniform(0.86, 0.95, len(over)))).astype(int)
    over_from = np.full(count, NO_DAY)
    over_from[over] = day(clock) - days(rng.integers(60, 330, len(over)))
    return operators.select(
        home_no=counted("YL", np.arange(1, count + 1), 4),
        firm=pl.col("true_id"),
        name=pl.col("name"),
        uscc=pl.col("uscc"),
        licensed_beds=pl.Series(licensed),
        basic_beds=pl.Series(np.round(licensed * rng.uniform(0.2, 0.4, count)).astype(int)),
        filed_on=pl.max_horizontal(pl.col("established_on") + dt.timedelta(days=60), dt.date(2003, 1, 1)),
        star=pl.Series(pick(rng, np.arange(6), count, [10, 10, 30, 30, 15, 5])),
        address=pl.col("address"),
        town=pl.col("town"),
        capacity=pl.Series(places),
        over_from=pl.Series(over_from),
    )


def build_beds(seed: int, homes: pl.DataFrame) -> pl.DataFrame:
    """One bed per place, licensed or not: bed_no, home_no, room, kind, slot (place within the home), is_extra."""
    rng = stream(seed, "beds")
    total = np.maximum(homes["licensed_beds"].to_numpy(), homes["capacity"].to_numpy())
    home = np.repeat(np.arange(homes.height), total)
    slot = np.arange(total.sum()) - np.repeat(np.cumsum(total) - total, total)
    room = (slot // 6 + 2) // 2 * 100 + slot % 12 // 2 + 1
    numbers = homes["home_no"].gather(pl.Series(home))
    return pl.DataFrame(
        {
            "home_no": numbers,
            "room": pl.Series(room).cast(pl.String),
            "kind": weighted(rng, {"nursing": 0.5, "ordinary": 0.38, "memory_care": 0.12}, len(slot)),
            "slot": slot,
            "is_extra": slot >= homes["licensed_beds"].to_numpy()[home],
            "is_closed": chance(rng, 0.02, len(slot)),
        }
    ).with_columns(bed_no=pl.col("home_no") + "-B" + (pl.col("slot") + 1).cast(pl.String).str.zfill(3))


def build_stays(
    seed: int, clock: dt.date, homes: pl.DataFrame, beds: pl.DataFrame, people: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two years of stays, bed by bed backwards from today, and the deaths that ended some of them.

    Returns:
        stays (stay_no, home_no, bed_no, person, admitted_on, discharged_on, care_level, is_basic_bed, has_contract,
        has_contact, updated_at) and deaths (person, died_on).
    """
    rng = stream(seed, "stays")
    spans = _spans(rng, clock, homes, beds)
    spans = _occupants(rng, spans, people, clock)
    count = spans.height
    elder_age = (clock.year - spans["birth_year"].to_numpy()).clip(60, 99)
    level = np.clip(np.round(rng.normal(2.6 + (elder_age - 78) * 0.05, 1.3, count)), 0, 6).astype(int)
    order = np.argsort(spans["admitted_on"].to_numpy(), kind="stable")
    serial = np.empty(count, dtype=int)
    serial[order] = np.arange(1, count + 1)
    last = spans.select(pl.max_horizontal("admitted_on", "discharged_on")).to_series().to_numpy()
    stays = spans.with_columns(
        stay_no=counted("RZ", serial, 6),
        care_level=pl.Series(level),
        is_basic_bed=pl.Series(chance(rng, 0.24, count)),
        has_contract=pl.Series(chance(rng, 0.975, count)),
        has_contact=pl.Series(chance(rng, 0.97, count)),
        updated_at=pl.Series(clock_times(rng, last)),
    )
    died = stays.filter(
        pl.col("discharged_on").is_not_null() & pl.col("is_local") & pl.Series(chance(rng, 0.55, count))
    ).select("person", died_on="discharged_on")
    return stays.drop("is_local", "birth_year"), died


def _spans(rng: Rng, clock: dt.date, homes: pl.DataFrame, beds: pl.DataFrame) -> pl.DataFrame:
    """Occupied spans per bed: the present one, then the ones before it until two years back."""
    facts = beds.join(
        homes.select("home_no", "capacity", "over_from", "licensed_beds"), on="home_no", maintain_order="left"
    )
    used = facts.filter(pl.col("slot") < pl.col("capacity"))
    horizon = day(clock) - days(np.array(730))
    free_now = chance(rng, 0.04, used.height)
    end = np.where(free_now, day(clock) - days(rng.integers(2, 40, used.height)), NO_DAY)
    # An extra place exists only since the home began to overfill.
    earliest = np.where(used["is_extra"].to_numpy(), used["over_from"].to_numpy(), day(dt.date(2010, 1, 1)))
    rounds = []
    index = np.arange(used.height)
    for _ in range(8):
        stop = np.where(np.isnat(end), day(clock), end)
        start = stop - days(rng.exponential(MEAN_STAY_DAYS, len(index)) + 6)
        start = np.maximum(start, np.where(np.isnat(earliest), start, earliest))
        rounds.append(pl.DataFrame({"index": index, "admitted_on": start, "discharged_on": end}))
        end = start - days(rng.integers(3, 45, len(index)))
        keep = (end > horizon) & (end > earliest + days(np.array(20)))
        index, end, earliest = index[keep], end[keep], earliest[keep]
        if len(index) == 0:
            break
    spans = pl.concat(rounds).filter(
        pl.col("discharged_on").is_null() | (pl.col("discharged_on") > pl.col("admitted_on"))
    )
    return spans.select(
        used["home_no"].gather(spans["index"]), used["bed_no"].gather(spans["index"]), "admitted_on", "discharged_on"
    )


def _occupants(rng: Rng, spans: pl.DataFrame, people: pl.DataFrame, clock: dt.date) -> pl.DataFrame:
    """Who stayed: local elders, older ones more often, each once; 7 % come from outside the district."""
    local = people.filter(
        pl.col("is_local") & pl.col("died_on").is_null() & (pl.col("birth_on").dt.year() < clock.year - 62)
    )
    outside = people.filter(pl.col("true_id").str.starts_with("XE"))
    age = (clock.year - local["birth_on"].dt.year().to_numpy()).astype(float)
    weight = np.exp((age - 62) * 0.09)
    wanted = spans.height - min(outside.height, int(spans.height * 0.07))
    size = min(wanted, local.height)
    chosen = rng.choice(local.height, size=size, replace=False, p=weight / weight.sum())
    columns = ["true_id", "is_local", "birth_on"]
    elders = pl.concat([local.select(columns)[chosen], outside.select(columns)[: spans.height - wanted]])
    spans = spans[sample(rng, np.arange(spans.height), elders.height)]
    elders = elders[rng.permutation(elders.height)]
    return spans.with_columns(
        person=elders["true_id"], is_local=elders["is_local"], birth_year=elders["birth_on"].dt.year()
    )


def build_staff(seed: int, clock: dt.date, homes: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Staff: staff_no, home_no, person, role, qualification, qualified_until, health_cert_until, on_post."""
    rng = stream(seed, "staff")
    per_home = np.maximum(3, np.round(homes["capacity"].to_numpy() * 0.42)).astype(int)
    home = np.repeat(np.arange(homes.height), per_home)
    count = len(home)
    place = np.arange(count) - np.repeat(np.cumsum(per_home) - per_home, per_home)
    role = weighted(rng, {"caregiver": 0.66, "nurse": 0.13, "doctor": 0.04, "cook": 0.08, "other": 0.09}, count)
    role = np.where(place == 0, "manager", np.where(place == 1, "caregiver", role))
    able = people.filter(
        pl.col("is_local") & pl.col("died_on").is_null() & pl.col("birth_on").dt.year().is_between(1966, 2003)
    )["true_id"]
    outside = people.filter(pl.col("true_id").str.starts_with("XS"))["true_id"]
    pool = pl.concat([able.gather(pl.Series(rng.permutation(len(able))[: int(count * 0.42)])), outside])
    chosen = pool.gather(pl.Series(rng.permutation(len(pool))[:count])) if len(pool) >= count else pool
    count, home, role = len(chosen), home[: len(chosen)], role[: len(chosen)]
    papers = staff_papers(rng, role, clock)
    return pl.DataFrame(
        {
            "staff_no": counted("RY", np.arange(1, count + 1), 6),
            "home_no": homes["home_no"].gather(pl.Series(home)),
            "person": chosen,
            "role": role,
            "on_post": chance(rng, 0.94, count),
        }
    ).with_columns(papers)


def staff_papers(rng: Rng, role: Array, clock: dt.date) -> pl.DataFrame:
    """Qualification and health certificate as they stand on `clock`; about 4 % have run out."""
    count = len(role)
    qualified = day(clock) + days(rng.integers(-40, 1100, count))
    health = day(clock) + days(rng.integers(-12, 365, count))
    without = (role == "other") & chance(rng, 0.5, count)
    titles = np.array([QUALIFICATIONS[r] for r in role.tolist()], dtype="<U12")
    return pl.DataFrame(
        {
            "qualification": pl.Series(np.where(without, "", titles)).replace("", None),
            "qualified_until": np.where(without, NO_DAY, qualified),
            "health_cert_until": health,
        }
    )


def build_prices(seed: int, clock: dt.date, homes: pl.DataFrame) -> pl.DataFrame:
    """Filed prices: home_no, item, filed_on, monthly_cny; every home filed once, a third filed a rise since."""
    rng = stream(seed, "prices")
    level = rng.uniform(0.8, 1.5, homes.height)
    items = list(PRICE_ITEMS)
    home = np.repeat(np.arange(homes.height), len(items))
    base = np.tile(np.array(list(PRICE_ITEMS.values()), dtype=float), homes.height) * level[home]
    first = pl.DataFrame(
        {
            "home_no": homes["home_no"].gather(pl.Series(home)),
            "item": np.tile(np.array(items), homes.height),
            "filed_on": (day(clock) - days(rng.integers(760, 1500, homes.height)))[home],
            "monthly_cny": np.round(base / 10) * 10,
        }
    )
    risen = chance(rng, 0.33, homes.height)[home]
    second = first.with_columns(
        filed_on=pl.Series((day(clock) - days(rng.integers(30, 700, homes.height)))[home]),
        monthly_cny=(pl.col("monthly_cny") * 1.06 / 10).round() * 10,
    ).filter(pl.Series(risen))
    return pl.concat([first, second])


def fees(stays: pl.DataFrame, beds: pl.DataFrame, prices: pl.DataFrame) -> pl.Series:
    """What each stay pays: bed by kind, care by level and meals, at the home's first filed prices."""
    first = prices.sort("filed_on").group_by("home_no", "item").agg(pl.col("monthly_cny").first())
    wide = first.pivot(on="item", index="home_no", values="monthly_cny")
    rows = stays.join(beds.select("bed_no", bed_kind="kind"), on="bed_no", how="left", maintain_order="left")
    rows = rows.join(wide, on="home_no", how="left", maintain_order="left")
    bed = pl.coalesce(
        *(pl.when(pl.col("bed_kind") == k).then(f"bed_{k}") for k in ("ordinary", "nursing", "memory_care"))
    )
    return rows.select(
        (bed + pl.col("care_level") * pl.col("care_per_level") + pl.col("meals")).alias("fee")
    ).to_series()


def town_code(town: pl.Series) -> pl.Series:
    """Nine-digit codes of towns given by position."""
    return pl.Series([DISTRICT + code for code, *_ in TOWNS]).gather(town).alias("town_code")
