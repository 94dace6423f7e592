"""Shortcuts of clustering find what clustering finds: lone pairs read off by column, and touched components alone."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import linkage
from identity.faces import FEATURES, Faces, build_faces
from identity.features.records import KEY
from identity.linkage import SCORES, Decision, EarlierLink, Settled, settle
from identity.lone import Lone
from identity.model import load_model
from identity.queue import PAIR

REGISTER, ELSEWHERE = ("civil_affairs", "residents"), ("urban_management", "cases")
Key = tuple[str, str, str]

records = st.tuples(
    st.booleans(),
    st.sampled_from([None, None, "I1", "I2", "I3"]),
    st.sampled_from(["male", "female", None]),
    st.sampled_from(["王", "李"]),
    st.booleans(),
)
worlds = st.lists(records, min_size=2, max_size=9)


@st.composite
def linked_worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Records with features, scored pairs of them, decisions and earlier links."""
    keys: list[Key] = []
    rows = []
    for place, (in_register, identifier, sex, surname, is_common) in enumerate(draw(worlds)):
        key = (*(REGISTER if in_register else ELSEWHERE), f"k{place}")
        keys.append(key)
        said = {
            "identifier": identifier,
            "sex": sex,
            "surname": surname,
            "name": surname + ("" if is_common else key[2]),
        }
        rows.append(dict(zip(KEY, key, strict=True)) | said)
    schema = dict.fromkeys((*KEY, *FEATURES["resident"]), pl.String) | {"is_surname_only": pl.Boolean}
    features = pl.DataFrame(rows, schema=schema)
    faces = build_faces("resident", features)
    heads = dict(zip(faces.table.get_column("face"), faces.table.select(KEY).iter_rows(), strict=True))
    uncertified = set(faces.table.filter(pl.col("identifier").is_null()).get_column("face"))
    possible = [(a, b) for a in heads for b in heads if a < b and (a in uncertified or b in uncertified)]
    least = min(4, len(possible))
    chosen = draw(st.lists(st.sampled_from(possible), unique=True, min_size=least, max_size=8)) if possible else []
    pairs = [
        (*heads[a], *heads[b], draw(st.sampled_from([0.6, 0.8, 0.96, 0.9999])), draw(st.sampled_from([1.0, 5.0, 9.0])))
        for a, b in chosen
    ]
    for face, members in faces.members.group_by("face", maintain_order=True):
        others = sorted(members.select(KEY).iter_rows())[1:]
        if face[0] in uncertified and others and draw(st.booleans()):
            pairs += [(*heads[face[0]], *other, 0.97, 4.0) for other in others]
    scored = pl.DataFrame(
        pairs, schema=dict.fromkeys(PAIR, pl.String) | dict.fromkeys(SCORES[6:], pl.Float64), orient="row"
    )
    two = st.lists(st.sampled_from(sorted(keys)), min_size=2, max_size=2, unique=True)
    decided = draw(st.lists(st.tuples(two, st.sampled_from(["must_link", "cannot_link"])), max_size=2))
    loose = sorted(key for key, row in zip(keys, rows, strict=True) if row["identifier"] is None)
    kept = draw(st.lists(st.tuples(st.sampled_from(loose), st.sampled_from(["I1", "I2"])), max_size=3)) if loose else []
    return {
        "faces": build_faces("resident", features, _named(decided)),
        "pairs": scored,
        "decisions": [Decision(*sorted(ends), verdict) for ends, verdict in decided],
        "earlier": [EarlierLink(key, identifier, 0.97) for key, identifier in dict(kept).items()],
    }


def _named(decided: list[tuple[list[Key], str]]) -> pl.DataFrame:
    named = sorted({key for ends, _ in decided for key in ends})
    return pl.DataFrame(named, schema=dict.fromkeys(KEY, pl.String), orient="row")


def rows_of(found: Settled) -> list[list[tuple[Any, ...]]]:
    return [sorted(table.rows(), key=repr) for table in (found.clustered, found.review, found.loose)]


def nothing_lone(faces: Faces, ends: pl.DataFrame, named: pl.Series, earlier: pl.DataFrame) -> Lone:
    found = SPLIT(faces, ends, named, earlier)
    return Lone(found.pairs.clear(), ends)


SPLIT = linkage.split_lone
MODEL = load_model("resident")


@settings(max_examples=50, deadline=None)
@given(world=linked_worlds())
def test_lone_pairs_are_read_off_as_clustering_would_find_them(world: dict[str, Any]) -> None:
    fast = settle(MODEL, **world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linkage, "split_lone", nothing_lone)
        slow = settle(MODEL, **world)
    assert rows_of(fast) == rows_of(slow)


def connected(world: dict[str, Any], seeds: set[Key]) -> set[Key]:
    """Every record that pairs, decisions, faces, certified identifiers or earlier links connect with the seeds."""
    faces: Faces = world["faces"]
    groups: list[set[Any]] = [{left, right} for left, right in _pairs_of(world["pairs"])]
    groups += [{each.left, each.right} for each in world["decisions"]]
    groups += [{each.record, each.identifier} for each in world["earlier"]]
    held = faces.members.join(faces.table.select("face", "identifier"), on="face")
    for face, *key, identifier in held.select("face", *KEY, "identifier").iter_rows():
        groups.append({face, tuple(key), *([] if identifier is None else [identifier])})
    reached: set[Any] = set(seeds)
    while any(reached & group and not group <= reached for group in groups):
        reached |= {each for group in groups if group & reached for each in group}
    return {each for each in reached if isinstance(each, tuple)}


def _pairs_of(pairs: pl.DataFrame) -> list[tuple[Key, Key]]:
    return [(row[:3], row[3:]) for row in pairs.select(PAIR).iter_rows()]


@settings(max_examples=40, deadline=None)
@given(world=linked_worlds(), data=st.data())
def test_what_a_change_reaches_is_clustered_as_in_a_clustering_of_everything(
    world: dict[str, Any], data: st.DataObject
) -> None:
    everybody = sorted(world["faces"].members.select(KEY).iter_rows())
    reached = connected(world, set(data.draw(st.lists(st.sampled_from(everybody), min_size=1, max_size=2))))
    keys = pl.DataFrame(sorted(reached), schema=dict.fromkeys(KEY, pl.String), orient="row")
    members = world["faces"].members.join(keys, on=KEY, how="semi")
    table = world["faces"].table.join(members.select("face").unique(), on="face", how="semi")
    chosen = [left in reached for left, _ in _pairs_of(world["pairs"])]
    part = world | {
        "faces": Faces(table, members),
        "pairs": world["pairs"].filter(pl.Series(chosen, dtype=pl.Boolean)),
        "earlier": [each for each in world["earlier"] if each.record in reached],
    }
    wanted = [[row for row in rows if row[:3] in reached] for rows in rows_of(settle(MODEL, **world))]
    assert rows_of(settle(MODEL, **part)) == wanted
