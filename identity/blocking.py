"""Which faces are worth comparing: those that share a key of at least one rule, and are not both certified.

A key that too many faces share says nothing and would cost the square of its size: it is left out of its rule, and the
pair may still be found by another. Two certified faces are never compared: equal identifiers join by themselves,
different ones never.
"""

from __future__ import annotations

from identity.model import Kind

# rule → (columns that make its key, most faces a key may have).
BLOCKS: dict[Kind, dict[str, tuple[tuple[str, ...], int]]] = {
    "resident": {
        "phone": (("phone",), 60),
        "name_and_birth": (("sound", "birth"), 120),
        "name_and_tail": (("sound", "number_tail"), 120),
        "name_and_start": (("sound", "substr(number, 1, 14)"), 120),
        "number": (("number",), 60),
    },
    "enterprise": {
        "name": (("core_sound",), 400),
        "code": (("code",), 400),
        "organisation_start": (("substr(code, 9, 5)",), 120),
        "organisation_end": (("substr(code, 14, 5)",), 120),
        "registration": (("registration",), 400),
        "address": (("place", "coalesce(room, '')"), 120),
    },
}


def candidates_sql(kind: Kind) -> str:
    """SQL over the table `faces` (with `is_fresh`): the pairs to score as `join_key_l`, `join_key_r`, `match_key`.

    A face that stands for several records is compared with itself too: whether saying the same is enough.
    """
    parts = [
        _rule_sql(number, name, columns, most) for number, (name, (columns, most)) in enumerate(BLOCKS[kind].items())
    ]
    parts.append(
        "select face as join_key_l, face as join_key_r, -1 as match_key from faces"
        " where size > 1 and identifier is null and is_fresh"
    )
    return (
        "select join_key_l, join_key_r, min(match_key)::varchar as match_key from ("
        + "\nunion all\n".join(parts)
        + ") as found group by join_key_l, join_key_r"
    )


def _rule_sql(number: int, name: str, columns: tuple[str, ...], most: int) -> str:
    key = f"concat_ws('|', {', '.join(columns)})"
    known = " and ".join(f"{column} is not null" for column in columns)
    return f"""
    select * from (
        with {name} as (select face, identifier, is_fresh, {key} as k from faces where {known}),
        fit as (select k from {name} group by k having count(*) between 2 and {most} and count(identifier) < count(*))
        select
            least(u.face, o.face) as join_key_l, greatest(u.face, o.face) as join_key_r, {number} as match_key
        from {name} as u
        inner join fit on fit.k = u.k
        inner join {name} as o on o.k = u.k
        where
            u.identifier is null and u.face <> o.face and (o.identifier is not null or u.face < o.face)
            and (u.is_fresh or o.is_fresh)
    ) as {name}_pairs"""
