"""The database roles of the hub. No one logs in as them: a login that is a member takes the role on.

owner     owns the schemas that outlive a run (ops, quarantine, release, quality, shared, scorecards) and migrates them
pipeline  lands, builds and publishes; owns what dbt rebuilds
reader    sees `shared`, `scorecards` and `quality`, nothing else
clerk     lists the review queue, looks at a pair (masked, logged) and gives an opinion, nothing else
"""

from __future__ import annotations

from typing import Literal

import psycopg
from psycopg import sql

from warehouse.errors import PermanentError

Role = Literal["owner", "pipeline", "reader", "clerk"]
ROLE_NAMES: dict[Role, str] = {
    "owner": "cityhub_owner",
    "pipeline": "cityhub_pipeline",
    "reader": "cityhub_reader",
    "clerk": "cityhub_clerk",
}

# Two sessions creating the same role at once would fail on a unique index; roles belong to the whole cluster.
_ROLES_LOCK = 724_310_115


def granted_roles(connection: psycopg.Connection) -> set[Role]:
    """The roles that this login may take on."""
    rows = connection.execute(
        "select rolname from pg_roles where rolname = any(%s) and pg_has_role(current_user, oid, 'set')",
        [list(ROLE_NAMES.values())],
    )
    found = {str(row[0]) for row in rows}
    return {role for role, name in ROLE_NAMES.items() if name in found}


def ensure_roles(connection: psycopg.Connection) -> None:
    """Create the roles where they are missing and let this login take them on.

    Raises:
        PermanentError: the login may not create roles and they are not there yet.
    """
    wanted = list(ROLE_NAMES.values())
    if granted_roles(connection) == set(ROLE_NAMES):
        return
    try:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [_ROLES_LOCK])
            existing = {row[0] for row in connection.execute("select rolname from pg_roles")}
            for name in wanted:
                if name not in existing:
                    connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(name)))
                connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege:
        raise PermanentError(
            "The database login may not create the hub's roles.",
            where="Postgres, roles " + ", ".join(wanted),
            expected="a login with CREATEROLE, or these roles created and granted to it beforehand",
            do="ask the database administrator to create them (NOLOGIN) and grant them to this login",
        ) from None
