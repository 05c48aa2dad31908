"""The log's hand-written statements: `postgres` beside `sqlite`, the same functions in files of the same names.

They are written by hand because the same through model instances runs at a fifth of the speed (see
docs/decisions). Everything else about events goes through the ORM.
"""

from __future__ import annotations

from types import ModuleType

from django.db import connection


def dialect() -> ModuleType:
    """The statements for the database. Raises ValueError for one that the log does not support."""
    if connection.vendor == "postgresql":
        from events.log import postgres

        return postgres
    if connection.vendor == "sqlite":
        from events.log import sqlite

        return sqlite
    raise ValueError(f"the event log runs on PostgreSQL and SQLite, not on {connection.vendor}")
