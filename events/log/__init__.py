"""The log's hand-written statements: `postgres` beside `sqlite`, the same functions in files of the same names.

They are written by hand because the same through model instances runs at a fifth of the speed (see
docs/decisions). Everything else about events goes through the ORM.
"""

from __future__ import annotations

from types import ModuleType

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


def dialect(connection: BaseDatabaseWrapper) -> ModuleType:
    """The statements for this connection's database."""
    if connection.vendor == "postgresql":
        from events.log import postgres

        return postgres
    if connection.vendor == "sqlite":
        from events.log import sqlite

        return sqlite
    raise ValueError(f"the event log runs on PostgreSQL and SQLite, not on {connection.vendor}")


def dialect_of(using: str) -> ModuleType:
    """The statements for the database with this alias."""
    return dialect(connections[using])
