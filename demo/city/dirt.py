"""The dirt of real systems: what clerks, forms and old software do to numbers, names, telephones, addresses and codes.

Every kind has a rate in `DirtRates`; the rates are documented in docs/reference/demo-city.md. Truth is never touched:
these functions take true values and return what a system wrote down. Faults of structure (a renamed column, a truncated
file) are not dirt; they are planted by `demo.faults`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.city import names
from demo.city.draw import Array, Rng, chance, luck_of, pick
from demo.city.identifiers import first_generation

FULL_WIDTH = {**{str(i): chr(0xFF10 + i) for i in range(10)}, "X": "Ｘ", "x": "ｘ"}
PLACEHOLDER_PHONES = ["13800000000", "13900000000", "13000000000"]


@dataclass(frozen=True)
class DirtRates:
    """Share of values that are dirty in each way. `register_factor` scales the rates of citizen numbers and names in
    the civil register, which is kept with more care than a care home's list."""

    register_factor: float = 0.2
    number_missing: float = 0.02
    number_masked: float = 0.012
    number_one_digit: float = 0.008
    number_transposed: float = 0.004
    number_15_digits: float = 0.02
    number_full_width: float = 0.006
    number_lower_x: float = 0.25  # of the numbers that end in X
    birth_date_off: float = 0.004
    name_traditional: float = 0.008
    name_homophone: float = 0.008
    name_other_dot: float = 0.4  # of the names with a middle dot
    name_spaced: float = 0.008
    two_names: float = 0.002  # of women: another name in other systems
    double_registration: float = 0.0008  # of people: twice in the register, the second time with 15 digits
    surname_only: float = 0.02  # of reporters: 王女士
    phone_missing: float = 0.01
    phone_shared: float = 0.05
    phone_changed: float = 0.012  # of people: calls of old come from the old number, half the registers still hold it
    phone_placeholder: float = 0.002
    phone_borrowed: float = 0.01  # of calls: from the telephone of somebody else in the household
    caller_id_withheld: float = 0.0005  # of calls to the hotline
    address_spelling: float = 0.22
    address_moved: float = 0.02
    firm_name_variant: float = 0.12
    firm_former_name: float = 0.6  # of renamed firms: elsewhere still under the old name
    code_missing: float = 0.18  # of the firms named in cases
    code_mistyped: float = 0.006
    old_number_only: float = 0.04  # of firms registered before October 2015
    old_number_and_code: float = 0.008  # of the same: one row each
    duplicated_rows: float = 0.002  # of rows in files and REST
    silent_changes: float = 0.03  # of changes: updated_at does not move
    contract_breaks: float = 0.001  # of rows: impossible date, unknown code, required value missing

    def doubled(self) -> DirtRates:
        """Twice the dirt, no rate above one half."""
        return self.times(2)

    def times(self, factor: float) -> DirtRates:
        """So many times the dirt; more dirt raises no rate above one half."""
        most = 0.5 if factor > 1 else 1.0
        values = {
            field.name: min(most, factor * getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name != "register_factor"
        }
        return dataclasses.replace(self, **values)

    @classmethod
    def none(cls) -> DirtRates:
        """A city without any dirt."""
        return cls(**{field.name: 0.0 for field in dataclasses.fields(cls)})


def _changed(values: Array, chosen: Array, change: Callable[[str], str | None]) -> Array:
    result = values.copy()
    for i in np.flatnonzero(chosen):
        if values[i] is not None:
            result[i] = change(values[i])
    return result


def citizen_numbers(rng: Rng, true: pl.Series, rates: DirtRates, factor: float = 1.0) -> pl.Series:
    """Citizen numbers as a system holds them. Each gets at most one kind of damage."""
    values = np.array(true.to_list(), dtype=object)
    known = np.array([v is not None for v in values], dtype=bool)
    luck = rng.random(len(values))
    old = np.array([v is not None and v[6:8] == "19" for v in values], dtype=bool)
    ends_x = np.array([v is not None and v[-1] == "X" for v in values], dtype=bool)
    values = _changed(values, known & ends_x & chance(rng, rates.number_lower_x * factor, len(values)), str.lower)
    lower = 0.0
    kinds: list[tuple[float, Callable[[str], str | None], Array]] = [
        (rates.number_missing, lambda v: None, known),
        (rates.number_masked, lambda v: v[:6] + "********" + v[14:], known),
        (rates.number_one_digit, lambda v: _one_digit(rng, v), known),
        (rates.number_transposed, lambda v: _transposed(rng, v), known),
        (rates.number_15_digits, lambda v: first_generation(v), old),
        (rates.number_full_width, lambda v: "".join(FULL_WIDTH[c] for c in v), known),
    ]
    for rate, change, possible in kinds:
        upper = lower + rate * factor
        values = _changed(values, possible & (luck >= lower) & (luck < upper), change)
        lower = upper
    return pl.Series(true.name, values.tolist(), dtype=pl.String)


def _one_digit(rng: Rng, number: str) -> str:
    position = int(rng.integers(0, 17))
    other = (int(number[position]) + int(rng.integers(1, 10))) % 10
    return number[:position] + str(other) + number[position + 1 :]


def _transposed(rng: Rng, number: str) -> str:
    places = [i for i in range(6, 16) if number[i] != number[i + 1]]
    i = places[int(rng.integers(len(places)))]
    return number[:i] + number[i + 1] + number[i] + number[i + 2 :]


def person_names(rng: Rng, true: pl.Series, rates: DirtRates, factor: float = 1.0) -> pl.Series:
    """Names as a system holds them."""
    values = np.array(true.to_list(), dtype=object)
    luck = rng.random(len(values))
    dotted = np.array(["·" in (v or "") for v in values], dtype=bool)
    values = _changed(values, dotted & chance(rng, rates.name_other_dot, len(values)), names.other_dot)
    lower = 0.0
    kinds: list[tuple[float, Callable[[str], str]]] = [
        (rates.name_traditional, names.traditional),
        (rates.name_homophone, lambda v: names.homophone(v, rng)),
        (rates.name_spaced, names.spaced),
    ]
    for rate, change in kinds:
        upper = lower + rate * factor
        values = _changed(values, ~dotted & (luck >= lower) & (luck < upper), change)
        lower = upper
    return pl.Series(true.name, values.tolist(), dtype=pl.String)


def surname_only(rng: Rng, written: pl.Series, sex: pl.Series, rates: DirtRates) -> pl.Series:
    """Callers who gave their surname only."""
    short = pl.Series(chance(rng, rates.surname_only, len(written)))
    title = pl.DataFrame({"s": sex}).select(
        pl.when(pl.col("s") == "male").then(pl.lit("先生")).otherwise(pl.lit("女士"))
    )
    frame = pl.DataFrame({"n": written, "t": title.to_series(), "c": short})
    return frame.select(
        pl.when(pl.col("c") & ~pl.col("n").str.contains("·"))
        .then(pl.col("n").str.slice(0, 1) + pl.col("t"))
        .otherwise("n")
        .alias(written.name)
    ).to_series()


def phones(rng: Rng, true: pl.Series, household_phone: pl.Series, rates: DirtRates) -> pl.Series:
    """Telephones as the register holds them: missing, a placeholder, the family's, or one given up since."""
    count = len(true)
    luck = pl.Series(rng.random(count))
    given_up = pl.Series(_has_changed(true, rates) & (luck_of(true, "told the register") < 0.5))
    lost = rates.phone_missing
    fake = lost + rates.phone_placeholder
    shared = fake + rates.phone_shared
    frame = pl.DataFrame(
        {
            "true": true,
            "family": household_phone,
            "luck": luck,
            "fake": pick(rng, PLACEHOLDER_PHONES, count),
            "old": former_phones(true),
            "given_up": given_up,
        }
    )
    value = (
        pl.when(pl.col("true").is_null() | (pl.col("luck") < lost))
        .then(None)
        .when(pl.col("luck") < fake)
        .then("fake")
        .when(pl.col("luck") < shared)
        .then(pl.coalesce("family", "true"))
        .when("given_up")
        .then("old")
        .otherwise("true")
    )
    return frame.select(value.alias(true.name)).to_series()


def calling_numbers(rng: Rng, calls: pl.DataFrame, rates: DirtRates) -> pl.Series:
    """The numbers that cases are reported from.

    The hotline sees who calls: there a number is missing only where it is withheld, and never made up. Who fills in the
    form on the net writes what he likes. Either way it is the telephone he has on that day.

    Args:
        calls: true (the caller's number now), household (another number at home), is_hotline, history (share of the
            city's history that had passed).
    """
    count = calls.height
    true = calls["true"]
    frame = calls.with_columns(
        luck=pl.Series(rng.random(count)),
        fake=pl.Series(pick(rng, PLACEHOLDER_PHONES, count)),
        old=former_phones(true),
        is_old=pl.Series(_has_changed(true, rates)) & (pl.col("history") < pl.Series(luck_of(true, "changed at"))),
        is_borrowed=pl.Series(chance(rng, rates.phone_borrowed, count)),
    )
    lost = pl.when("is_hotline").then(rates.caller_id_withheld).otherwise(rates.phone_missing)
    fake = lost + pl.when("is_hotline").then(0.0).otherwise(rates.phone_placeholder)
    value = (
        pl.when(pl.col("luck") < lost)
        .then(None)
        .when(pl.col("luck") < fake)
        .then("fake")
        .when(pl.col("is_borrowed") & pl.col("household").is_not_null())
        .then("household")
        .when("is_old")
        .then("old")
        .otherwise("true")
    )
    return frame.select(value.alias(true.name)).to_series()


def _has_changed(phones: pl.Series, rates: DirtRates) -> Array:
    """Whether these people had another number within the city's history."""
    return np.asarray(luck_of(phones, "changed") < rates.phone_changed)


def former_phones(phones: pl.Series) -> pl.Series:
    """The number somebody had before this one: the same wherever it still stands."""
    digits = pl.Series((luck_of(phones, "former") * 10**8).astype(np.int64)).cast(pl.String).str.zfill(8)
    former = phones.alias("phone").to_frame().select(pl.col("phone").str.slice(0, 3) + pl.lit(digits))
    return former.to_series()


def addresses(rng: Rng, true: pl.Series, rates: DirtRates) -> pl.Series:
    """Addresses in the several spellings offices use."""
    count = len(true)
    kind = pl.Series(np.where(chance(rng, rates.address_spelling, count), rng.integers(0, 7, count), -1))
    address = pl.col("a")
    wide = {digit: FULL_WIDTH[digit] for digit in "0123456789"}
    value = (
        pl.when(pl.col("k") == 0)
        .then(address.str.replace("上海市", ""))
        .when(pl.col("k") == 1)
        .then(address.str.replace("上海市浦东新区", ""))
        .when(pl.col("k") == 2)
        .then(address.str.replace("浦东新区", "浦东"))
        .when(pl.col("k") == 3)
        .then(address.str.replace_many(wide))
        .when(pl.col("k") == 4)
        .then(address.str.replace("弄", "弄 ").str.replace("号", "号 "))
        .when(pl.col("k") == 5)
        .then(address.str.replace(r"弄(\d+)号(\d+)室", "弄${1}-${2}"))
        .when(pl.col("k") == 6)
        .then(address.str.replace("室", ""))
        .otherwise(address)
    )
    return pl.DataFrame({"a": true, "k": kind}).select(value.alias(true.name)).to_series()


def firm_names(rng: Rng, true: pl.Series, former: pl.Series, rates: DirtRates) -> pl.Series:
    """Names of firms as other departments write them."""
    count = len(true)
    kind = pl.Series(np.where(chance(rng, rates.firm_name_variant, count), rng.integers(0, 5, count), -1))
    old = pl.Series(chance(rng, rates.firm_former_name, count))
    name = pl.when(pl.col("o") & pl.col("f").is_not_null()).then("f").otherwise("n")
    value = (
        pl.when(pl.col("k") == 0)
        .then(name.str.replace("上海", "上海市").str.replace("上海市市", "上海市"))
        .when(pl.col("k") == 1)
        .then(name.str.replace("^上海(市浦东新区|浦东新区)?", ""))
        .when(pl.col("k") == 2)
        .then(name.str.replace("有限公司", "公司"))
        .when(pl.col("k") == 3)
        .then(name.str.replace("^上海", "上海（浦东）"))
        .when(pl.col("k") == 4)
        .then(name + " ")
        .otherwise(name)
    )
    frame = pl.DataFrame({"n": true, "f": former, "k": kind, "o": old})
    return frame.select(value.alias(true.name)).to_series()


def firm_codes(rng: Rng, true: pl.Series, rates: DirtRates, missing: float) -> pl.Series:
    """Credit codes as other departments write them."""
    values = np.array(true.to_list(), dtype=object)
    known = np.array([v is not None for v in values], dtype=bool)
    luck = rng.random(len(values))
    values = _changed(values, known & (luck < missing), lambda v: None)
    mistyped = known & (luck >= missing) & (luck < missing + rates.code_mistyped)
    values = _changed(values, mistyped, lambda v: _one_letter(rng, v))
    spaced = known & (luck > 1 - rates.code_mistyped)
    return pl.Series(true.name, _changed(values, spaced, lambda v: v.lower()).tolist(), dtype=pl.String)


def _one_letter(rng: Rng, code: str) -> str:
    position = int(rng.integers(8, len(code)))
    other = "0123456789".replace(code[position], "")
    return code[:position] + other[int(rng.integers(len(other)))] + code[position + 1 :]


def dates_off(rng: Rng, true: pl.Series, rates: DirtRates) -> pl.Series:
    """Birth dates with day or year mistaken: the lunar date, or one year up."""
    off = chance(rng, rates.birth_date_off, len(true))
    shift = np.where(off, pick(rng, np.array([29, 30, 365, -365, 1]), len(true)), 0)
    return (
        pl.DataFrame({"d": true, "s": shift})
        .select((pl.col("d") + pl.duration(days=pl.col("s"))).alias(true.name))
        .to_series()
    )
