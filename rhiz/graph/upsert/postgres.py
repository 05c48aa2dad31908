"""The upsert on PostgreSQL 14 and later."""

from __future__ import annotations

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
def statement(model: type[Record]) -> str:
    """INSERT of a JSON array of rows, its one parameter."""
    table = model._meta.db_table
    fields = columns(model)
    names = [field.name for field in fields]
    return f"""
        INSERT INTO {table} AS stored ({", ".join(names)})
        SELECT {", ".join(names)}
        FROM json_to_recordset(%s::json) AS given({", ".join(f"{f.name} {TYPES[f.kind]}" for f in fields)})
        ON CONFLICT (key) DO UPDATE SET {assignments(names)}
        WHERE (stored.version, stored.event) < (excluded.version, excluded.event)"""


def execute(connection: BaseDatabaseWrapper, model: type[Record], document: str) -> None:
    """Run the statement on `document`, bound on the server.

    Django's cursor would quote the document into the statement, and PostgreSQL would parse it as part of it.
    """
    connection.ensure_connection()
    session: Any = connection.connection
    with connection.wrap_database_errors, psycopg.Cursor(session) as cursor:
        cursor.execute(statement(model), (document,), prepare=True)
