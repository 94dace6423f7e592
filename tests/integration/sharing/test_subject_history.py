"""What the golden record said when, out of the releases themselves."""

from __future__ import annotations

from datetime import date
from typing import Any

ID = "R00000000000000a1"
DAYS = [date(2026, 6, day) for day in range(26, 31)]
ASK = (
    "select value_shown, from_on, to_on, is_current from shared.subject_history"
    f" where subject_kind = 'resident' and subject_id = '{ID}' and attribute = '{{}}' order by from_release"
)


def test_every_value_is_told_from_when_to_when_and_masked(marts: Any) -> None:
    update = f"update subjects.residents set {{}} where resident_id = '{ID}'"
    changes = [
        "update subjects.towns set name_zh = '陆家嘴街道'",
        update.format("name = '张三丰', phone = null"),
        update.format("name = '张三'"),
        update.format("phone = '13812341234'"),
    ]
    marts.publish(business_date=DAYS[0])
    for day, change in zip(DAYS[1:], changes, strict=True):
        marts.run(change)
        marts.publish(business_date=day)
    # Two names behind one mask are two rows; a release without a change opens none.
    assert marts.rows(ASK.format("name")) == [
        ("张*", DAYS[0], DAYS[2], False),
        ("张**", DAYS[2], DAYS[3], False),
        ("张*", DAYS[3], None, True),
    ]
    assert marts.rows(ASK.format("phone")) == [
        ("138****1234", DAYS[0], DAYS[2], False),
        (None, DAYS[2], DAYS[4], False),
        ("138****1234", DAYS[4], None, True),
    ]
    assert marts.rows(ASK.format("town_code")) == [("310115005", DAYS[0], None, True)]
    text = " ".join(row[0] for row in marts.rows("select h::text from shared.subject_history as h"))
    assert "13812341234" not in text
    assert "张三" not in text

    # A subject that goes and comes back is not said to have been there in between.
    marts.run(
        f"create table subjects.kept as select * from subjects.residents where resident_id = '{ID}'",
        f"delete from subjects.residents where resident_id = '{ID}'",
    )
    marts.publish(business_date=date(2026, 7, 1))
    marts.run("insert into subjects.residents select * from subjects.kept")
    marts.publish(business_date=date(2026, 7, 2))
    assert marts.rows(ASK.format("town_code")) == [
        ("310115005", DAYS[0], date(2026, 7, 1), False),
        ("310115005", date(2026, 7, 2), None, True),
    ]


def test_the_marts_may_be_built_anew_and_a_column_may_change_its_type(marts: Any) -> None:
    marts.publish()
    marts.run(f"update subjects.residents set name = '改' where resident_id = '{ID}'")
    marts.publish()
    before = marts.rows("select * from shared.subject_history order by 1, 2, 3, 6")
    # As dbt does: another table under the same name; and a wider type.
    marts.run(
        "create table subjects.fresh as select * from subjects.residents",
        "drop table subjects.residents",
        "alter table subjects.fresh rename to residents",
        "alter table subjects.residents alter column town_code type varchar(9)",
    )
    marts.publish()
    assert marts.rows("select * from shared.subject_history order by 1, 2, 3, 6") == before


def test_one_subject_is_looked_up_by_index(marts: Any) -> None:
    marts.publish()
    with marts.database.psycopg("reader") as connection:
        connection.execute("set enable_seqscan to off")
        plan = "\n".join(row[0] for row in connection.execute("explain " + ASK.format("name")).fetchall())
    assert "residents__current" in plan
    assert "residents__closed" in plan
    assert "Seq Scan on residents" not in plan
    assert "enterprises" not in plan
