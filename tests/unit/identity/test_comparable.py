"""Who has nobody uncertified near is not compared: no pair is lost by that."""

from __future__ import annotations

import random
from datetime import date

import polars as pl
import pytest

from identity.engine import comparable, prior_among
from identity.faces import build_faces, hot_values, is_register, told
from identity.features.records import KEY, PERSON_INPUT, features_of
from identity.linkage import compare
from identity.model import load_model

REGISTER, CASES = ("civil_affairs", "residents"), ("urban_management", "cases")
COMMITTEES = [f"31011500100{number}" for number in range(1, 6)]


def neighbours(seed: int) -> pl.DataFrame:
    """A register and callers who share few names, telephones, birthdays and neighbourhoods with it."""
    rng = random.Random(seed)
    rows = []
    for number in range(240):
        is_resident = number < 180
        born = date(1950, 1, 1 + rng.randrange(28))
        no = f"310115{born:%Y%m%d}{number:03}X" if is_resident else None
        rows.append(
            dict.fromkeys(PERSON_INPUT)
            | dict(zip(KEY, (*(REGISTER if is_resident else CASES), f"k{number:03}"), strict=True))
            | {
                "name": rng.choice("王李张刘") + rng.choice("小大明红") + rng.choice("一二三四五六七八九十"),
                "citizen_no": no,
                "citizen_no_key": no,
                "birth_on": born if is_resident or rng.random() < 0.3 else None,
                "phone": f"1391234{rng.randrange(60):04}" if rng.random() < 0.7 else None,
                "home_address": f"上海市浦东新区张杨路{rng.randrange(9)}弄1号{rng.randrange(9)}室"
                if is_resident
                else None,
                "near_committee_code": rng.choice(COMMITTEES) if rng.random() < 0.8 else None,
            }
        )
    return pl.DataFrame(rows, schema=dict.fromkeys(PERSON_INPUT, pl.String) | {"birth_on": pl.Date})


@pytest.mark.parametrize("seed", [1, 2])
def test_the_rows_left_out_are_in_no_pair(seed: int) -> None:
    features = features_of("resident", neighbours(seed))
    said = told("resident", features, hot_values("resident", features))
    chance = prior_among(features.select("identifier", is_register=is_register("resident")))
    # Somebody whom nothing else brings near, and whom a decision names.
    lonely = said.select(KEY).join(
        comparable("resident", said, said.select(KEY).clear()).select(KEY), on=KEY, how="anti"
    )
    near = comparable("resident", said, lonely.head(1))
    assert lonely.height > 10
    assert lonely.head(1).join(near, on=KEY, how="semi").height == 1
    model = load_model("resident")
    some, everybody = (build_faces("resident", rows, is_told=True) for rows in (near, said))
    found = compare(model, some, chance=chance)
    assert found.height > 10
    assert found.equals(compare(model, everybody, chance=chance))
