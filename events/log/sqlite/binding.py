"""How values reach the file, and rows come back."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def run(connection: BaseDatabaseWrapper, sql: str, parameters: Any) -> list[Any]:
    """The rows that a statement answers. Raises Django's database errors."""
    # sqlite3's own cursor: Django's rewrites every statement's placeholders in Python, and a step runs hundreds.
    connection.ensure_connection()
    with connection.wrap_database_errors:
        rows: list[Any] = sqlite3.Cursor(connection.connection).execute(sql, parameters).fetchall()
    return rows


def changed(connection: BaseDatabaseWrapper, sql: str, parameters: Any) -> int:
    """How many rows a statement changed. Raises Django's database errors."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return sqlite3.Cursor(connection.connection).execute(sql, parameters).rowcount


def clock() -> datetime:
    """The present time, by this process's clock: the file has none of its own."""
    return datetime.now(UTC)


def instant(moment: datetime) -> str:
    """A moment as Django stores it on SQLite: UTC, no zone."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))
