"""Where Postgres is and how the hub reaches it: settings, engines, roles, migrations, tokens, errors.

Nothing here knows a source system, a dbt model or a page; it imports no other room.
"""
