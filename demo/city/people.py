"""The residents in truth: households, their members, numbers, names and homes; and people from outside the register.

Dirt does not belong here: what a system wrote down wrongly is added in `dirt`.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city import identifiers, names
from demo.city.draw import NO_DAY, Array, Rng, chance, counted, day, days, pick, stream, zero_filled
from demo.city.geography import SHARE_IN_VILLAGES, Geography, home_address

# Households by kind: members' roles and share (Shanghai, 2020 census: 2.3 people to a household).
HEAD, SPOUSE, CHILD, PARENT, PARENT_SPOUSE, FLATMATE = range(6)
HOUSEHOLDS: tuple[tuple[tuple[int, ...], float], ...] = (
    ((HEAD,), 0.26),
    ((HEAD, SPOUSE), 0.29),
    ((HEAD, SPOUSE, CHILD), 0.22),
    ((HEAD, SPOUSE, CHILD, CHILD), 0.06),
    ((HEAD, SPOUSE, CHILD, PARENT, PARENT_SPOUSE), 0.07),
    ((HEAD, CHILD), 0.05),
    ((HEAD, FLATMATE, FLATMATE), 0.05),
)
TWIN_SHARE = 0.06  # of households with two children; about 1 birth in 90 as in Shanghai
NAMESAKE_SHARE = 0.001
# Divisions of birth: older residents carry Nanhui (310119, 310225) and Chuansha (310224), which no longer exist.
OTHER_DIVISIONS = ["320621", "320924", "330226", "340826", "341221", "360122", "410928", "420881", "511023", "610423"]
SHANGHAI_DIVISIONS = ["310101", "310104", "310110", "310103"]
PHONE_PREFIXES = ["138", "139", "136", "137", "158", "159", "188", "189", "133", "177", "186", "150", "199", "166"]


def residents(seed: int, count: int, clock: dt.date, geography: Geography) -> pl.DataFrame:
    """Exactly `count` residents.

    Columns: true_id, person_no, name, sex (male|female), birth_on, citizen_no, household, role, estate (position),
    town (position), building, room, home_address, hukou_address, phone, marital_status, died_on, is_local.
    """
    rng = stream(seed, "people")
    frame = _members(rng, count, clock)
    frame = _name(rng, frame)
    frame = _numbers(rng, frame)
    frame = _homes(rng, frame, geography)
    frame = _contacts(rng, frame, clock)
    return frame.with_columns(
        counted("P", np.arange(1, count + 1), 7).alias("true_id"),
        counted("CA", rng.permutation(count) + 100_001, 8).alias("person_no"),
        died_on=_deaths(rng, frame, clock),
        is_local=pl.lit(True),
    )


def _members(rng: Rng, count: int, clock: dt.date) -> pl.DataFrame:
    kinds = pick(rng, np.arange(len(HOUSEHOLDS)), count, [share for _, share in HOUSEHOLDS])
    sizes = np.array([len(roles) for roles, _ in HOUSEHOLDS])[kinds]
    households = int(np.searchsorted(np.cumsum(sizes), count)) + 1
    kinds, sizes = kinds[:households], sizes[:households]
    household = np.repeat(np.arange(households), sizes)[:count]
    position = (np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes))[:count]
    table = np.array([[*roles, *[-1] * (5 - len(roles))] for roles, _ in HOUSEHOLDS])
    role = table[kinds[household], position]

    head_age = _head_ages(rng, kinds)
    head_is_male = chance(rng, np.where(kinds == 0, 0.46, 0.64), households)
    spouse_age = np.maximum(20, head_age + rng.normal(0, 3, households) - np.where(head_is_male, 2, -2))
    mother_age = np.where(head_is_male & (kinds != 5), spouse_age, head_age)
    age = np.select(
        [role == HEAD, role == SPOUSE, role == CHILD, role == PARENT, role == PARENT_SPOUSE],
        [
            head_age[household],
            spouse_age[household],
            _child_ages(rng, mother_age[household]),
            np.minimum(99, head_age[household] + rng.uniform(23, 32, count)),
            np.minimum(99, head_age[household] + rng.uniform(22, 30, count)),
        ],
        np.maximum(20, head_age[household] + rng.normal(0, 4, count)),
    )
    male = np.select(
        [role == HEAD, role == SPOUSE, role == PARENT, role == PARENT_SPOUSE],
        [head_is_male[household], ~head_is_male[household], np.full(count, True), np.full(count, False)],
        chance(rng, 0.515, count),
    ).astype(bool)
    birth = day(clock) - days(np.maximum(1, age * 365.25))
    twin_of = _twins(rng, role, household)
    birth, male = birth[twin_of], np.where(chance(rng, 0.65, count), male[twin_of], male)
    return pl.DataFrame(
        {
            "household": household,
            "role": role,
            "birth_on": birth,
            "is_male": male,
            "is_twin": twin_of != np.arange(count),
            "head_is_male": head_is_male[household],
        }
    )


def _child_ages(rng: Rng, mother_age: Array) -> Array:
    # Born when the mother was 22 to 37; a mother younger than 37 has had only the years since she was 22.
    oldest = np.maximum(0.7, mother_age - 22)
    youngest = np.maximum(0.0, mother_age - 37)
    return np.asarray(youngest + rng.random(len(mother_age)) * (oldest - youngest))


def _head_ages(rng: Rng, kinds: Array) -> Array:
    size = len(kinds)
    young, elder = rng.uniform(23, 36, size), rng.triangular(60, 72, 97, size)
    single = np.where(chance(rng, 0.45, size), young, elder)
    couple = np.where(chance(rng, 0.25, size), rng.uniform(25, 45, size), rng.triangular(48, 66, 92, size))
    parents = rng.uniform(26, 54, size)
    return np.select(
        [kinds == 0, kinds == 1, kinds == 4, kinds == 6], [single, couple, rng.uniform(30, 52, size), young], parents
    )


def _twins(rng: Rng, role: Array, household: Array) -> Array:
    """For each person the position whose birth they share: their own, or the elder twin's."""
    position = np.arange(len(role))
    second_child = np.flatnonzero((role[1:] == CHILD) & (role[:-1] == CHILD) & (household[1:] == household[:-1])) + 1
    twins = second_child[chance(rng, TWIN_SHARE, len(second_child))]
    position[twins] = twins - 1
    return position


def _name(rng: Rng, frame: pl.DataFrame) -> pl.DataFrame:
    count = frame.height
    household, role = frame["household"].to_numpy(), frame["role"].to_numpy()
    head_is_male, male = frame["head_is_male"].to_numpy(), frame["is_male"].to_numpy()
    of_head = names.surnames(rng, household.max() + 1)[household]
    of_spouse = names.surnames(rng, household.max() + 1)[household]
    own = names.surnames(rng, count)
    child = np.where(head_is_male | chance(rng, 0.05, count), of_head, of_spouse)
    surname = np.select(
        [role == HEAD, role == SPOUSE, role == CHILD, role == PARENT], [of_head, of_spouse, child, of_head], own
    )
    years = frame["birth_on"].dt.year().to_numpy()
    full = names.dotted(rng, np.char.add(surname, names.given_names(rng, male, years)))
    frame = frame.with_columns(name=pl.Series(full), surname=pl.Series(surname))
    return _namesakes(rng, frame)


def _namesakes(rng: Rng, frame: pl.DataFrame) -> pl.DataFrame:
    """Pairs of strangers with one name, one sex and one birthday."""
    grown = np.flatnonzero((frame["role"] == HEAD).to_numpy())
    pairs = int(frame.height * NAMESAKE_SHARE)
    if len(grown) < 2 * pairs or pairs == 0:
        return frame
    chosen = rng.permutation(grown)[: 2 * pairs]
    source = np.arange(frame.height)
    source[chosen[pairs:]] = chosen[:pairs]
    columns = ["name", "surname", "birth_on", "is_male"]
    return frame.with_columns(frame.select(columns)[source])


def _numbers(rng: Rng, frame: pl.DataFrame) -> pl.DataFrame:
    count = frame.height
    years = frame["birth_on"].dt.year().to_numpy()
    old_pudong = np.where(chance(rng, 0.5, count), "310224", np.where(years < 2001, "310119", "310225"))
    local = np.where((years < 1993) & chance(rng, 0.55, count), old_pudong, "310115")
    other = np.where(chance(rng, 0.4, count), pick(rng, SHANGHAI_DIVISIONS, count), pick(rng, OTHER_DIVISIONS, count))
    division = np.where(chance(rng, 0.62, count), local, other)
    return frame.with_columns(
        pl.Series(
            "citizen_no", unique_numbers(rng, division, frame["birth_on"].to_numpy(), frame["is_male"].to_numpy())
        ),
        sex=pl.when("is_male").then(pl.lit("male")).otherwise(pl.lit("female")),
    )


def unique_numbers(rng: Rng, division: Array, birth_on: Array, is_male: Array) -> Array:
    """Citizen numbers that differ within this call: people of one division, day and sex take consecutive sequences."""
    group = pl.DataFrame({"d": division, "b": birth_on, "m": is_male, "start": rng.integers(0, 500, len(division))})
    step = group.select((pl.col("start").first() + pl.int_range(pl.len())).over("d", "b", "m") % 500).to_series()
    sequence = step.to_numpy() * 2 + np.where(is_male, 1, 0)
    return identifiers.citizen_numbers(division, birth_on, sequence)


def _homes(rng: Rng, frame: pl.DataFrame, geography: Geography) -> pl.DataFrame:
    households = int(frame["household"].max() or 0) + 1  # type: ignore[arg-type]
    estate = estates_for(rng, geography, households)[frame["household"].to_numpy()]
    building = rng.integers(1, 46, households)[frame["household"].to_numpy()]
    room = (rng.integers(1, 19, households) * 100 + rng.integers(1, 5, households))[frame["household"].to_numpy()]
    address = home_address(geography.estates, estate, building, room)
    elsewhere = home_address(
        geography.estates, estates_for(rng, geography, frame.height), rng.integers(1, 46, frame.height), room
    )
    lives_where_registered = chance(rng, 0.63, households)[frame["household"].to_numpy()]
    return frame.with_columns(
        estate=pl.Series(estate),
        town=geography.estates["town"][estate],
        home_address=address,
        hukou_address=pl.when(pl.Series(lives_where_registered)).then(address).otherwise(elsewhere),
    )


def estates_for(rng: Rng, geography: Geography, size: int) -> Array:
    """Estates for `size` households: towns by weight, then one of the town's estates."""
    town = geography.estates["town"].to_numpy()
    weight = geography.towns["weight"].to_numpy()[town]
    village = (geography.estates["kind"] == "village").to_numpy()
    rural = np.bincount(town, weights=village, minlength=geography.towns.height)[town] > 0
    share = np.where(village, SHARE_IN_VILLAGES, np.where(rural, 1 - SHARE_IN_VILLAGES, 1.0))
    mates = pl.DataFrame({"t": town, "v": village}).select(pl.len().over("t", "v")).to_series().to_numpy()
    return pick(rng, np.arange(len(town)), size, weight * share / mates)


def phones(rng: Rng, size: int) -> Array:
    """Mobile numbers."""
    return np.char.add(pick(rng, PHONE_PREFIXES, size), zero_filled(rng.integers(0, 10**8, size), 8))


def _contacts(rng: Rng, frame: pl.DataFrame, clock: dt.date) -> pl.DataFrame:
    count = frame.height
    age = (day(clock) - frame["birth_on"].to_numpy()).astype(int) / 365.25
    with_spouse = frame.select((pl.col("role") == SPOUSE).any().over("household")).to_series().to_numpy()
    role = frame["role"].to_numpy()
    married = ((role == HEAD) | (role == SPOUSE)) & with_spouse
    alone = np.where(
        age > 66,
        pick(rng, ["丧偶", "离异", "未婚"], count, [0.78, 0.14, 0.08]),
        np.where(age > 36, pick(rng, ["离异", "未婚", "丧偶"], count, [0.6, 0.3, 0.1]), "未婚"),
    )
    alone = np.where(np.isin(role, [PARENT, PARENT_SPOUSE]), "已婚", alone)
    return frame.with_columns(
        phone=pl.when(pl.Series(age >= 12)).then(pl.Series(phones(rng, count))).otherwise(None),
        marital_status=pl.Series(np.where(married, "已婚", np.where(age < 20, "未婚", alone))),
    )


def yearly_death_rate(age: Array) -> Array:
    """Gompertz curve: 0.05 % at 40, 3.6 % at 80, 15 % at 95."""
    return np.minimum(0.4, 0.0005 * np.exp(0.107 * (np.maximum(age, 30) - 40)))


def _deaths(rng: Rng, frame: pl.DataFrame, clock: dt.date) -> pl.Series:
    count = frame.height
    age = (day(clock) - frame["birth_on"].to_numpy()).astype(int) / 365.25
    dead = chance(rng, 1 - (1 - yearly_death_rate(age)) ** 2, count) & (age > 3)
    died = np.where(dead, day(clock) - days(rng.integers(3, 730, count)), NO_DAY)
    return pl.Series(died)


def outsiders(seed: int, name: str, count: int, ages: tuple[float, float], clock: dt.date, male: float) -> pl.DataFrame:
    """People who are not in the district's register: staff, reporters, representatives and elders from elsewhere."""
    rng = stream(seed, f"outsiders {name}", clock)
    is_male = chance(rng, male, count)
    birth = day(clock) - days(rng.uniform(*ages, count) * 365.25)
    years = birth.astype("datetime64[Y]").astype(int) + 1970
    full = np.char.add(names.surnames(rng, count), names.given_names(rng, is_male, years))
    return pl.DataFrame(
        {
            "true_id": counted(f"X{name}{clock:%y%m%d}", np.arange(1, count + 1), 6),
            "name": full,
            "sex": np.where(is_male, "male", "female"),
            "birth_on": birth,
            "citizen_no": unique_numbers(rng, pick(rng, OTHER_DIVISIONS, count), birth, is_male),
            "phone": phones(rng, count),
        }
    ).with_columns(is_local=pl.lit(False))
