"""Run the statements of `events/log/sql`: literal SQL, a file for each statement and database.

A file names its parameters as the database's own shell does, so that it can be pasted there: `:'name'` for psql,
`:name` for sqlite3. A file for SQLite may hold several statements, which run in one transaction. On PostgreSQL values
are bound by the server, so that statements are prepared: planning the long ones takes as long as running them. On
SQLite the process's clock is the database's, and stands for `:now`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from django.db import connection, transaction
from django.db.models import Model, QuerySet

SQL = Path(__file__).parent / "sql"
PARAMETER = re.compile(r":'(\w+)'")  # in a file for PostgreSQL

M = TypeVar("M", bound=Model)
Rows = list[tuple[Any, ...]]


@cache
def statements(name: str, vendor: str) -> tuple[str, ...]:
    """The statements of one file, without comments."""
    text = (SQL / f"{name}.{vendor}.sql").read_text()
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return tuple(text.split(";\n\n"))


def bound(name: str, parameters: dict[str, Any]) -> tuple[str, list[Any]]:
    """A statement for PostgreSQL with $1, $2, ... as placeholders, and its values: the arguments of a raw cursor.

    Such a cursor parses no text; psycopg's other cursors parse a long one anew at each run: 0.1 ms.
    """
    statement, names = _numbered(name)
    return statement, [parameters[each] for each in names]


@cache
def _numbered(name: str) -> tuple[str, list[str]]:
    """The statement with numbered placeholders, and the names of its parameters in their order."""
    [text] = statements(name, "postgresql")
    names = list(dict.fromkeys(PARAMETER.findall(text)))
    return PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", text), names


def run(name: str, **parameters: Any) -> Rows:
    """The rows that the statement answers. Raises Django's database errors."""
    return execute(name, parameters)[0]


def changed(name: str, **parameters: Any) -> int:
    """How many rows the statement changed; of several, the first. Raises Django's database errors."""
    return execute(name, parameters)[1]


def array(values: Iterable[object]) -> str:
    """A list as statements take it: the text of an array on PostgreSQL, a JSON array on SQLite."""
    # psycopg's own dumper looks at every element.
    joined = ",".join(map(str, values))
    return f"{{{joined}}}" if connection.vendor == "postgresql" else f"[{joined}]"


def instant(moment: datetime) -> str:
    """A moment as statements take it; on SQLite as Django stores it there: UTC, no zone."""
    return moment.isoformat() if connection.vendor == "postgresql" else _stored(moment)


def microseconds_now() -> int:
    """This process's time, which is SQLite's: microseconds since 1970."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)


def unlocked(rows: QuerySet[M]) -> QuerySet[M]:
    """The rows that no other transaction has locked, locked by this one; SQLite's file has one writer, and no locks."""
    if connection.features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True)
    return rows


@contextmanager
def failing_fast() -> Iterator[None]:
    """Let a writer that finds SQLite's file locked fail at once instead of waiting in SQLite's own way.

    SQLite waits in growing sleeps of up to 100 ms and so misses the few milliseconds that a busy worker leaves
    between two batches: appends beside one took 700 ms at the 99th percentile. PostgreSQL's writers queue.
    """
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    [(timeout,)] = connection.connection.execute("pragma busy_timeout").fetchall()
    connection.connection.execute("pragma busy_timeout = 0")
    try:
        yield
    finally:
        if connection.connection is not None:
            connection.connection.execute(f"pragma busy_timeout = {timeout}")


def execute(name: str, parameters: dict[str, Any]) -> tuple[Rows, int]:
    """Rows of a statement's last part, and how many rows its first one changed: all statements of the log pass here."""
    connection.ensure_connection()
    vendor = connection.vendor
    with connection.wrap_database_errors:
        if vendor == "postgresql":
            # A cursor that binds on the server; Django's own binds in the client.
            with psycopg.RawCursor(connection.connection) as cursor:
                cursor.execute(*bound(name, parameters))
                # Not `description`: it makes an object of each column.
                answered = cursor.pgresult is not None and cursor.pgresult.nfields > 0
                return cursor.fetchall() if answered else [], cursor.rowcount
        parameters["now"] = _stored(datetime.now(UTC))
        # sqlite3's own cursor: Django's rewrites every statement's placeholders in Python, and a batch runs dozens.
        parts = statements(name, vendor)
        with transaction.atomic() if parts[1:] and not connection.in_atomic_block else nullcontext():
            cursors = [sqlite3.Cursor(connection.connection).execute(part, parameters) for part in parts]
            return cursors[-1].fetchall(), cursors[0].rowcount


def _stored(moment: datetime) -> str:
    return str(moment.astimezone(UTC).replace(tzinfo=None))
