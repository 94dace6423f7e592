"""Which faces are worth comparing: those that share a key of at least one rule, and are not both certified.

A key that too many faces share says nothing and would cost the square of its size: it is left out of its rule, and the
pair may still be found by another. Two certified faces are never compared: equal identifiers join by themselves,
different ones never.
"""

from __future__ import annotations

from dataclasses import dataclass

from identity.model import Kind

# Whatever else agrees, without it a person cannot be recognised: a telephone or a number may be anybody's.
_HAS_NAME = "surname is not null"


@dataclass(frozen=True)
class Block:
    """One rule: faces that agree on all of `columns`, where `also` holds; keys with more than `most` faces are out."""

    columns: tuple[str, ...]
    most: int
    also: str = "true"


BLOCKS: dict[Kind, dict[str, Block]] = {
    "resident": {
        "phone": Block(("phone",), 60, _HAS_NAME),
        "name_and_birth": Block(("sound", "birth"), 120),
        "name_and_tail": Block(("sound", "number_tail"), 120),
        "name_and_start": Block(("sound", "substr(number, 1, 14)"), 120),
        "number": Block(("number",), 60, _HAS_NAME),
        # Namesakes of one neighbourhood are few; where they are many the name says nothing.
        "name_and_home": Block(("sound", "home"), 60, "not is_surname_only"),
        "name_and_committee": Block(("sound", "committee"), 30, "not is_surname_only"),
    },
    "enterprise": {
        "name": Block(("core_sound",), 400),
        "code": Block(("code",), 400),
        "organisation_start": Block(("substr(code, 9, 5)",), 120),
        "organisation_end": Block(("substr(code, 14, 5)",), 120),
        "registration": Block(("registration",), 400),
        "address": Block(("place", "coalesce(room, '')"), 120),
    },
}
# What blocks are made of.
BLOCKED_BY: dict[Kind, tuple[str, ...]] = {
    "resident": (
        *("surname", "is_surname_only", "phone", "sound", "birth", "number", "number_tail"),
        *("home", "committee"),
    ),
    "enterprise": ("core_sound", "code", "registration", "place", "room"),
}
# The same, and what `_TELLING` looks at.
NEEDED: dict[Kind, tuple[str, ...]] = {
    "resident": BLOCKED_BY["resident"],
    "enterprise": (*BLOCKED_BY["enterprise"], "core"),
}
# Saying the same is evidence only where something is said that is not everybody's: a name alone is.
_TELLING: dict[Kind, str] = {
    "resident": (
        f"{_HAS_NAME} and (phone is not null or birth is not null or number_tail is not null"
        " or (committee is not null and not is_surname_only))"
    ),
    "enterprise": "core is not null or code is not null or registration is not null",
}


def candidates_sql(kind: Kind) -> str:
    """SQL over the table `faces` (with `is_fresh`): the pairs to score as `join_key_l`, `join_key_r`, `match_key`.

    A face that stands for several records is compared with itself too: whether saying the same is enough.
    """
    parts = [_rule_sql(number, name, block) for number, (name, block) in enumerate(BLOCKS[kind].items())]
    parts.append(
        "select face as join_key_l, face as join_key_r, -1 as match_key from faces"
        f" where size > 1 and identifier is null and is_fresh and ({_TELLING[kind]})"
    )
    return (
        "select join_key_l, join_key_r, cast(min(match_key) as string) as match_key from ("
        + "\nunion all\n".join(parts)
        + ") as found group by join_key_l, join_key_r"
    )


def shifted_sql(kind: Kind) -> str:
    """SQL over `faces` and `before`: faces under a key that came within its rule's reach, or left it.

    Their pairs may have to come or go although they themselves are unchanged.
    """
    parts = []
    for block in BLOCKS[kind].values():
        keyed = {table: _keyed(table, block, ("face", "identifier")) for table in ("faces", "before")}
        fit = {table: _fit(f"({sql})", block) for table, sql in keyed.items()}
        parts.append(
            f"select face from ({keyed['faces']}) as keyed where k in ("
            f"(({fit['faces']}) except ({fit['before']})) union (({fit['before']}) except ({fit['faces']})))"
        )
    return "select distinct face from (" + "\nunion all\n".join(parts) + ") as shifted"


def neighbours_sql(kind: Kind) -> str:
    """SQL over `faces` and `touching`: faces that share a key of any rule with one of `touching`.

    By the keys' hashes, in half the time: two keys of one hash would only bring in a face that has no pair there.
    """
    near = " or ".join(
        f"({_known(block)} and {_hashed(block)} in (select {_hashed(block)} from touching where {_known(block)}))"
        for block in BLOCKS[kind].values()
    )
    return f"select face from faces where {near}"


def _known(block: Block) -> str:
    return " and ".join([*(f"{column} is not null" for column in block.columns), block.also])


def _hashed(block: Block) -> str:
    return f"hash({', '.join(block.columns)})"


def _keyed(table: str, block: Block, columns: tuple[str, ...]) -> str:
    key = f"concat_ws('|', {', '.join(block.columns)})"
    return f"select {', '.join((*columns, f'{key} as k'))} from {table} where {_known(block)}"


def _fit(keyed: str, block: Block) -> str:
    return (
        f"select k from {keyed} as keyed group by k"
        f" having count(*) between 2 and {block.most} and count(identifier) < count(*)"
    )


def _rule_sql(number: int, name: str, block: Block) -> str:
    return f"""
    select * from (
        with {name} as ({_keyed("faces", block, ("face", "identifier", "is_fresh"))}),
        fit as ({_fit(name, block)})
        select
            least(u.face, o.face) as join_key_l, greatest(u.face, o.face) as join_key_r, {number} as match_key
        from {name} as u
        inner join fit on fit.k = u.k
        inner join {name} as o on o.k = u.k
        where
            u.identifier is null and u.face <> o.face and (o.identifier is not null or u.face < o.face)
            and (u.is_fresh or o.is_fresh)
    ) as {name}_pairs"""
