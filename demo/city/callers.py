"""Who calls: the people who report problems, how often each does, and about which places.

Three calls in four are about the caller's own neighbourhood; the same few people call again and again, on every day of
the city's life. What number is seen with a call is in `dirt`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.city.draw import Array, Rng, luck_of
from demo.city.geography import Geography

# Where the caller of a case lives, by kind of site: in its committee, else in its town, else anywhere in the district.
# A compound's waste, chargers and trees are reported by those who live there; a shop or a road also by who passes.
AT_HOME = ("compound", "village")
SHARES_AT_HOME = (0.9, 0.06)
SHARES_ELSEWHERE = (0.6, 0.25)


def callers(seed: int, ground: Geography, people: pl.DataFrame) -> pl.DataFrame:
    """These people as callers: true_id, committee_code, town, weight (how often they call against others).

    Outsiders live somewhere too, though no register knows it: each in an estate of their own luck.
    """
    own = luck_of(people["true_id"], f"{seed} caller")
    somewhere = luck_of(people["true_id"], f"{seed} home") * ground.estates.height
    estate = people["estate"].fill_null(pl.Series(somewhere).cast(people.schema["estate"]))
    return people.select(
        "true_id",
        committee_code=ground.estates["committee_code"].gather(estate),
        town=ground.estates["town"].gather(estate),
        # The likeliest tenth makes a third of the calls.
        weight=pl.Series(0.5 / np.sqrt(np.maximum(own, 1 / 2**32))),
    )


def choose(rng: Rng, pool: pl.DataFrame, kinds: pl.Series, committees: pl.Series, towns: pl.Series) -> pl.Series:
    """The caller of each case, by the kind of its site, its committee (null: only its town is known) and its town."""
    count = len(kinds)
    at_home = kinds.is_in(AT_HOME).to_numpy()
    near = np.where(at_home, SHARES_AT_HOME[0], SHARES_ELSEWHERE[0])
    around = near + np.where(at_home, SHARES_AT_HOME[1], SHARES_ELSEWHERE[1])
    luck = rng.random(count)
    everywhere = pl.Series(np.zeros(count, dtype=np.int64))
    pool = pool.with_columns(district=pl.lit(0, pl.Int64))
    frame = pl.DataFrame(
        {
            "committee": _of(rng, pool, "committee_code", committees),
            "town": _of(rng, pool, "town", towns),
            "district": _of(rng, pool, "district", everywhere),
            "luck": luck,
            "near": near,
            "around": around,
        }
    )
    return frame.select(
        pl.coalesce(
            pl.when(pl.col("luck") < pl.col("near")).then("committee"),
            pl.when(pl.col("luck") < pl.col("around")).then("town"),
            "district",
        )
    ).to_series()


def _of(rng: Rng, pool: pl.DataFrame, place: str, wanted: pl.Series) -> pl.Series:
    """For each place one of the callers who live there, by weight; null where nobody does."""
    pool = pool.sort(place, maintain_order=True).with_columns(upto=pl.col("weight").cum_sum())
    spans = pool.group_by(place, maintain_order=True).agg(
        start=pl.col("upto").first() - pl.col("weight").first(), end=pl.col("upto").last()
    )
    found = wanted.alias(place).to_frame().join(spans, on=place, how="left", maintain_order="left")
    start, end = found["start"].fill_null(0.0).to_numpy(), found["end"].fill_null(0.0).to_numpy()
    at: Array = np.searchsorted(pool["upto"].to_numpy(), start + rng.random(len(wanted)) * (end - start), side="right")
    who = pool["true_id"].gather(pl.Series(np.minimum(at, pool.height - 1)))
    return found.select(pl.when(pl.col("start").is_not_null()).then(pl.lit(who))).to_series()
