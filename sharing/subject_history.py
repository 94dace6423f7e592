"""What the golden record said when: the view `shared.subject_history` over the releases that ever were.

The histories of `residents` and `enterprises` hold every released state of every subject and are never rebuilt, so
nothing is stored twice: a value said in consecutive releases is one row, from the release that first said it to the one
that no longer did. Full values tell what changed; readers see them masked, as in the views of today.
"""

from __future__ import annotations

from collections.abc import Mapping

from sharing.history import Column, Connection, quote
from sharing.tables import ReleasedTable
from sharing.views import Masks, View, masked

NAME = "shared.subject_history"

# Released table: kind of subject and the attributes whose changes are told.
ATTRIBUTES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "residents": (
        "resident",
        (
            *("name", "citizen_no", "sex_code", "birth_on", "home_address", "hukou_address", "town_code"),
            *("committee_code", "phone", "marital_status", "died_on", "care_level", "care_home_no"),
        ),
    ),
    "enterprises": (
        "enterprise",
        (
            *("name", "uscc", "registration_no", "kind", "status", "legal_rep_name", "registered_capital_cny"),
            *("established_on", "industry_code", "address", "town_code", "care_home_no"),
        ),
    ),
}

_COMMENT = (
    "主体档案变化 / Subject history. What the golden record said when; one row per value and the releases that said it."
)
_COLUMNS = {
    "subject_kind": "主体种类 / Subject kind. resident or enterprise.",
    "subject_id": "主体编号 / Subject id",
    "attribute": "属性 / Attribute. Column of residents or enterprises.",
    "value_shown": "值（脱敏） / Value, masked. Empty where the record said nothing any more.",
    "source": "来源 / Source. System and table (system.table) it came from, where the record tells.",
    "from_release": "起始发布 / From release",
    "from_on": "起始业务日期 / From. Business date of that release.",
    "to_release": "终止发布 / To release. The first that no longer said so; empty while it holds.",
    "to_on": "终止业务日期 / To. Business date of that release.",
    "is_current": "是否现行 / Current. The current release says so.",
}


def history_view(tables: tuple[ReleasedTable, ...], shapes: Mapping[str, list[Column]], masks: Masks) -> View | None:
    """The view over those of the subject tables that are released; None without any."""
    states = [
        state
        for table in tables
        if table.name in ATTRIBUTES
        for state in _states(table, {column.name for column in shapes[table.name]}, masks.get(table.name, {}))
    ]
    return View(NAME, _SELECT.format(states=" union all ".join(states)), _COMMENT, _COLUMNS) if states else None


def drop_history_view(connection: Connection) -> None:
    """Take it away before a column below it changes its type; publishing makes it again. Needs the owner role."""
    connection.execute(f"drop view if exists {NAME}".encode())


def _states(table: ReleasedTable, columns: set[str], masks: Mapping[str, str]) -> list[str]:
    """Current rows and closed rows apart: each kind has its own index, as wide as its rows are many."""
    kind, wanted = ATTRIBUTES[table.name]
    [key] = table.key
    listed = []
    for attribute in wanted:
        if attribute in columns:
            source = quote(f"{attribute}_source") if f"{attribute}_source" in columns else "null"
            shown = masked(attribute, masks.get(attribute)).partition(" as ")[0]
            listed.append(f"('{attribute}', {quote(attribute)}::text, ({shown})::text, {source})")
    return [
        f"select '{kind}'::text as subject_kind, {quote(key)} as subject_id, said.*, _from_release, _to_release"
        f" from {table.history} cross join lateral (values {', '.join(listed)})"
        f" as said (attribute, value, value_shown, source) where _to_release is {state}"
        for state in ("null", "not null")
    ]


# Every step groups by subject, so that a question for one subject reads the rows of that subject alone.
_SELECT = """
with spoken as ({states}),
placed as (
    select
        *,
        case when value is not distinct from lag(value) over states and lag(_to_release) over states = _from_release
            then 0 else 1 end as is_new
    from spoken
    window states as (partition by subject_kind, subject_id, attribute order by _from_release)
),
numbered as (
    select
        *,
        sum(is_new) over (partition by subject_kind, subject_id, attribute order by _from_release) as turn
    from placed
),
said as (
    select
        subject_kind, subject_id, attribute, turn,
        min(value_shown) as value_shown,
        (array_agg(source order by _from_release desc))[1] as source,
        min(_from_release) as from_release,
        case when not bool_or(_to_release is null) then max(_to_release) end as to_release
    from numbered
    group by subject_kind, subject_id, attribute, turn
)
select
    said.subject_kind, said.subject_id, said.attribute, said.value_shown, said.source,
    said.from_release, began.business_date as from_on,
    said.to_release, ended.business_date as to_on,
    said.to_release is null as is_current
from said
inner join release.releases as began on began.release_id = said.from_release
left join release.releases as ended on ended.release_id = said.to_release
where said.value_shown is not null or said.turn > 1
"""
