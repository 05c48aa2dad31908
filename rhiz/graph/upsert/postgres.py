"""The upsert on PostgreSQL 14 and later."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from rhiz.graph.models import Record
from rhiz.graph.upsert.columns import assignments, columns

TYPES = {
    "UUIDField": "uuid",
    "TextField": "text",
    "BigIntegerField": "bigint",
    "SmallIntegerField": "smallint",
    "BooleanField": "boolean",
    "DateTimeField": "timestamptz",
}


@cache
def statement(model: type[Record], returning: tuple[str, ...]) -> str:
    """INSERT of a JSON array of rows, its one parameter; it selects the former values of the columns `returning`."""
    table = model._meta.db_table
    fields = columns(model)
    names = [field.name for field in fields]
    write = f"""
        INSERT INTO {table} AS stored ({", ".join(names)})
        SELECT {", ".join(names)}
        FROM json_to_recordset(%s::json) AS given({", ".join(f"{f.name} {TYPES[f.kind]}" for f in fields)})
        ON CONFLICT (key) DO UPDATE SET {assignments(names)}
        WHERE (stored.version, stored.event) < (excluded.version, excluded.event)"""
    if not returning:
        return write
    # A subquery of RETURNING sees the table as it was before the statement; a row that was inserted, whose xmax is 0,
    # was not there. A join with the given rows would see it too, but its plan, made while the table was small, would
    # read all of it for each batch once it has grown.
    old, now = (", ".join(f"{name}.{column}" for column in returning) for name in ("old", "stored"))
    return f"""
        WITH written AS ({write}
            RETURNING CASE WHEN stored.xmax <> 0 THEN (
                SELECT ARRAY[{old}] FROM {table} AS old
                WHERE old.key = stored.key AND ({old}) IS DISTINCT FROM ({now})) END AS before)
        SELECT before FROM written WHERE before IS NOT NULL"""


def execute(
    connection: BaseDatabaseWrapper, model: type[Record], document: str, returning: tuple[str, ...]
) -> Sequence[Sequence[str]]:
    """Run the statement on `document`, bound on the server.

    Django's cursor would quote the document into the statement, and PostgreSQL would parse it as part of it.
    """
    connection.ensure_connection()
    session: Any = connection.connection
    with connection.wrap_database_errors, psycopg.Cursor(session) as cursor:
        cursor.execute(statement(model, returning), (document,), prepare=True)
        return [before for (before,) in cursor.fetchall()] if returning else []
