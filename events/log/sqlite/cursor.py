"""How values reach the file, and rows come back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection


def run(sql: str, parameters: Any = ()) -> list[Any]:
    """The rows that a statement answers. Raises Django's database errors."""
    # sqlite3's own cursor: Django's rewrites every statement's placeholders in Python, and a batch runs hundreds.
    connection.ensure_connection()
    with connection.wrap_database_errors:
        rows: list[Any] = sqlite3.Cursor(connection.connection).execute(sql, parameters).fetchall()
    return rows


def changed(sql: str, parameters: Any) -> int:
    """How many rows a statement changed. Raises Django's database errors."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return sqlite3.Cursor(connection.connection).execute(sql, parameters).rowcount


def array(values: Iterable[object]) -> str:
    """A list as these statements take it: a JSON array, unfolded by json_each."""
    return json.dumps(list(values))


def clock() -> datetime:
    """The present time, by this process's clock: the file has none of its own."""
    return datetime.now(UTC)


def in_seconds(seconds: float) -> str:
    """The moment so many seconds from now."""
    return instant(clock() + timedelta(seconds=seconds))


def instant(moment: datetime) -> str:
    """A moment as Django stores it on SQLite: UTC, no zone."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))
