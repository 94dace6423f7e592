"""SQL a contract stands for: the raw table and its unlogged stage. Only text is made here; the landing runs it."""

from __future__ import annotations

from connectors.contract.model import ColumnContract, TableContract

# Bookkeeping of a raw row: batch that last wrote it, hash of its contract columns, batch that first brought it, when
# its content last moved, when it was found gone from its source.
BOOKKEEPING: tuple[tuple[str, str], ...] = (
    ("_batch_id", "bigint not null"),
    ("_row_hash", "uuid not null"),
    ("_first_batch_id", "bigint not null"),
    ("_changed_at", "timestamptz not null"),
    ("_deleted_at", "timestamptz"),
)
# Bookkeeping of a staged row. `_arrival` is its number among the rows delivered, refused ones counted, from 1.
STAGE_BOOKKEEPING: tuple[tuple[str, str], ...] = (("_row_hash", "uuid"), ("_arrival", "integer"))

_BOOKKEEPING_COMMENTS = {
    "_batch_id": "最近写入批次 · Batch that last wrote the row",
    "_row_hash": "内容摘要 · Hash of the row's content",
    "_first_batch_id": "首次写入批次 · Batch that first brought the row",
    "_changed_at": "内容变更时间 · When the content last changed",
    "_deleted_at": "源端删除时间 · When the row was found gone from its source",
}


def quote(name: str) -> str:
    """A name as a quoted SQL identifier; `double` and `at` are column names here."""
    return '"' + name.replace('"', '""') + '"'


def quote_qualified(name: str) -> str:
    """`schema.table` as quoted SQL identifiers."""
    return ".".join(quote(part) for part in name.split("."))


def typed_columns(table: TableContract) -> tuple[tuple[str, str], ...]:
    """(name, Postgres type) of the contract's columns followed by their identifier helpers: the shape of a good row."""
    own = [(column.name, column.pg_type) for column in table.columns]
    helpers = [(name, "text") for column in table.columns for name in column.helper_columns]
    return (*own, *helpers)


def raw_table_ddl(table: TableContract) -> list[str]:
    """Statements that create `raw_<system>.<table>`, commented in both languages; running them again changes nothing.
    The table's comment ends in the contract's version, by which a later contract knows what raw was made under.
    """
    name = quote_qualified(table.qualified_name)
    required = {column.name for column in table.columns if column.required}
    lines = [f"{quote(c)} {t}{' not null' if c in required else ''}" for c, t in typed_columns(table)]
    lines += [f"{quote(column)} {definition}" for column, definition in BOOKKEEPING]
    lines.append(f"primary key ({', '.join(quote(column) for column in table.key)})")
    body = ",\n    ".join(lines)
    statements = [
        f"create schema if not exists {quote(table.raw_schema)}",
        f"create table if not exists {name} (\n    {body}\n)",
        f"comment on table {name} is {_literal(f'{table.zh} · {table.en} · contract {table.version}')}",
    ]
    comments = [(column.name, f"{column.zh} · {column.en}") for column in table.columns]
    comments += [pair for column in table.columns for pair in _helper_comments(column)]
    comments += list(_BOOKKEEPING_COMMENTS.items())
    statements += [f"comment on column {name}.{quote(column)} is {_literal(text)}" for column, text in comments]
    return statements


def changed_index_ddl(table: TableContract) -> str:
    """The index by which what changed lately is found. It is made with the first change: of rows that came in one batch
    it tells nothing, and making it takes a thirtieth of a first load.

    BRIN, since rows are appended in that order: it costs next to nothing on 5 M rows.
    """
    name = quote_qualified(table.qualified_name)
    return f"create index if not exists {quote(table.name + '__changed_at')} on {name} using brin (_changed_at)"


def stage_table_ddl(table: TableContract, stage_name: str, *, is_lasting: bool = False) -> list[str]:
    """Statements that create the stage `schema.table` a batch is copied into: the same typed columns, no constraint, so
    that repeated keys can be found there, and unlogged, because a crash starts the batch again. A lasting one may
    become raw itself: it is logged, and has raw's columns that are never missing, which need not be proved later."""
    filled = {"_row_hash", *(column.name for column in table.columns if column.required)} if is_lasting else set()
    lines = [
        f"{quote(column)} {pg_type}{' not null' if column in filled else ''}"
        for column, pg_type in (*typed_columns(table), *STAGE_BOOKKEEPING)
    ]
    body = ",\n    ".join(lines)
    name = quote_qualified(stage_name)
    return [
        f"drop table if exists {name}",
        f"create {'' if is_lasting else 'unlogged '}table {name} (\n    {body}\n)",
    ]


def roll_columns(table: TableContract) -> tuple[tuple[str, str], ...]:
    """(name, Postgres type) of what a list of good rows carries: what decides which row counts and how far it goes,
    and a hash of the typed values (`_content`), which stands for the columns that are not there."""
    kinds = dict(typed_columns(table))
    names = dict.fromkeys((*table.key, *filter(None, (table.cursor, table.as_of_column))))
    return (*((name, kinds[name]) for name in names), ("_content", "bigint"))


def roll_table_ddl(table: TableContract, roll_name: str) -> list[str]:
    """Statements that create the list of a batch's good rows."""
    lines = [f"{quote(name)} {kind}" for name, kind in (*roll_columns(table), *STAGE_BOOKKEEPING)]
    return [f"create unlogged table {quote_qualified(roll_name)} ({', '.join(lines)})"]


def _helper_comments(column: ColumnContract) -> list[tuple[str, str]]:
    if column.identifier is None:
        return []
    key, grade = column.helper_columns
    what = "令牌 · Keyed token" if column.identifier == "citizen_no" else "规范代码 · Normalised code"
    return [(key, f"{column.zh}{what} of {column.name}"), (grade, f"{column.zh}等级 · Grade of {column.name}")]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
