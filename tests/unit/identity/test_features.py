"""Normal forms: spellings of one thing agree, different things do not, and nothing breaks on any text."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.features.addresses import address_features
from identity.features.firms import firm_features
from identity.features.names import name_features
from identity.features.numbers import code_features, number_features, number_letters
from identity.features.phones import phone_features
from identity.features.records import PERSON_INPUT, person_features

texts = st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=8)


def column(values: list[str | None]) -> pl.Series:
    return pl.Series("value", values, dtype=pl.String)


def phones(*values: str | None) -> list[str | None]:
    return phone_features(column(list(values))).to_list()


@pytest.mark.parametrize(
    ("written", "surname", "given_name", "sound"),
    [
        ("张伟", "张", "伟", "zhang'wei'"),
        ("張 偉", "张", "伟", "zhang'wei'"),
        ("欧阳小红", "欧阳", "小红", "ou'yang'xiao'hong'"),
        ("歐陽　小紅", "欧阳", "小红", "ou'yang'xiao'hong'"),
        ("阿依古丽•买买提", "阿依古丽", "买买提", "a'yi'gu'li'mai'mai'ti'"),
        ("阿依古丽.买买提", "阿依古丽", "买买提", "a'yi'gu'li'mai'mai'ti'"),
    ],
)
def test_spellings_of_a_name_agree(written: str, surname: str, given_name: str, sound: str) -> None:
    row = name_features(column([written])).row(0, named=True)
    assert (row["surname"], row["given"], row["sound"]) == (surname, given_name, sound)
    assert not row["is_surname_only"]


@pytest.mark.parametrize(
    ("written", "surname", "sex"), [("王女士", "王", "female"), ("歐陽先生", "欧阳", "male"), ("李某", "李", None)]
)
def test_a_form_of_address_is_no_name(written: str, surname: str, sex: str | None) -> None:
    row = name_features(column([written])).row(0, named=True)
    assert (row["surname"], row["given"], row["title_sex"], row["is_surname_only"]) == (surname, None, sex, True)


def test_nobody_is_called_nobody() -> None:
    assert name_features(column(["无名氏", "不详", "", None])).get_column("name").null_count() == 4


def test_phones_in_one_form() -> None:
    assert phones("+86 139-1234-5670", "８６13912345670", "021-58881234", "58881234") == [
        "13912345670",
        "13912345670",
        "58881234",
        "58881234",
    ]
    assert phones("139****5670", "13800000000", "11111111111", "123", None) == [None] * 5


def test_what_is_left_of_a_number() -> None:
    frame = number_features(column(["310115********0017", "３１０１１５１９６００１０１００１ｘ", "12", None]))
    assert frame.rows()[0] == (None, "310115", "0017")
    assert frame.row(1, named=True)["number"] == "31011519600101001X"
    assert frame.rows()[2:] == [(None, None, None)] * 2


def test_a_transposition_keeps_the_letters() -> None:
    numbers = pl.DataFrame({"number": ["310115196001010017", "310115190601010017"]})
    letters = numbers.select(number_letters(pl.col("number"))).to_series()
    assert letters[0] == letters[1]


def test_codes_and_registration_numbers_are_apart() -> None:
    rows = code_features(column(["91110000600037341l", "310115001234567"])).rows(named=True)
    assert (rows[0]["code"], rows[0]["organisation"], rows[0]["registration"]) == (
        "91110000600037341L",
        "600037341",
        None,
    )
    assert (rows[1]["code"], rows[1]["registration"]) == (None, "310115001234567")


def test_spellings_of_an_address_agree() -> None:
    spellings = ["上海市浦东新区莲溪路100弄3号201室", "浦东莲溪路100弄3-201", "莲溪路１００弄 3号 201"]
    rows = address_features(column(spellings)).rows()
    assert set(rows) == {("莲溪路", "100", "3", "201")}


def test_spellings_of_a_firm_agree_and_a_branch_is_not_its_parent() -> None:
    same = ["上海香凯鼎美发有限公司", "上海市香凯鼎美发公司", "上海（浦东）香凯鼎美发有限公司", "香凱鼎美髮有限公司 "]
    rows = firm_features(column([*same, "上海香凯鼎美发有限公司浦东三林分公司"])).rows(named=True)
    assert {(row["core"], row["form"]) for row in rows[:4]} == {("香凯鼎美发", "company")}
    assert (rows[4]["core"], rows[4]["form"], rows[4]["branch"]) == ("香凯鼎美发", "branch", "三林")


def test_a_certified_number_tells_birth_and_sex() -> None:
    row = dict.fromkeys(PERSON_INPUT) | {
        "system": "s",
        "table_name": "t",
        "record_key": "1",
        "name": "张伟",
        "citizen_no": "310115196001010017",
        "citizen_no_key": "token",
        "birth_on": date(1961, 2, 3),
    }
    schema = dict.fromkeys(PERSON_INPUT, pl.String) | {"birth_on": pl.Date}
    features = person_features(pl.DataFrame([row], schema=schema)).row(0, named=True)
    assert (features["birth"], features["sex"], features["identifier"]) == ("19600101", "male", "token")


@given(values=texts)
def test_any_text_gives_one_row_and_its_form_is_stable(values: list[str | None]) -> None:
    names = name_features(column(values))
    assert names.height == len(values)
    full = names.filter(pl.col("given").is_not_null()).get_column("name")
    assert name_features(full).get_column("sound").to_list() == name_features(full).get_column("sound").to_list()
    assert firm_features(column(values)).height == address_features(column(values)).height == len(values)
    assert len(phones(*values)) == number_features(column(values)).height == len(values)


@given(name=st.text(alphabet="张王李欧阳伟丽红军明", min_size=2, max_size=4), place=st.integers(0, 4))
def test_blanks_and_width_change_nothing(name: str, place: int) -> None:
    spaced = name[:place] + "\u3000" + name[place:] + " "
    assert name_features(column([name])).equals(name_features(column([spaced])))
