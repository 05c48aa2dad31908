"""The upsert on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from django.db.backends.base.base import BaseDatabaseWrapper

from rhiz.graph.models import Record
from rhiz.graph.upsert.columns import Column, assignments, columns


def _value(column: Column) -> str:
    """The expression that takes a column's value out of a row of the document."""
    value = f"json_extract(value, '$.{column.name}')"
    if column.kind == "DateTimeField":
        # From 2026-11-01T12:00:00Z to how Django keeps it: without its zone, a space in the middle.
        value = f"replace(rtrim({value}, 'Z'), 'T', ' ')"
    return value


@cache
def statement(model: type[Record]) -> str:
    """INSERT of a JSON array of rows, its one parameter."""
    table = model._meta.db_table
    fields = columns(model)
    names = [field.name for field in fields]
    values = [_value(field) for field in fields]
    # Without the WHERE after it, SQLite would read ON CONFLICT as the beginning of a join's condition.
    return f"""
        INSERT INTO {table} AS stored ({", ".join(names)})
        SELECT {", ".join(values)}
        FROM json_each(%s) WHERE true
        ON CONFLICT (key) DO UPDATE SET {assignments(names)}
        WHERE (stored.version, stored.event) < (excluded.version, excluded.event)"""


@cache
def changed(model: type[Record], returning: tuple[str, ...]) -> str:
    """SELECT of the columns `returning` in rows that the document gives other values there."""
    fields = {field.name: field for field in columns(model)}
    return f"""
        SELECT {", ".join(f"stored.{name}" for name in returning)}
        FROM json_each(%s) JOIN {model._meta.db_table} AS stored ON stored.key = {_value(fields["key"])}
        WHERE ({", ".join(f"stored.{name}" for name in returning)})
              IS NOT ({", ".join(_value(fields[name]) for name in returning)})"""


def execute(
    connection: BaseDatabaseWrapper, model: type[Record], document: str, returning: tuple[str, ...]
) -> Sequence[Sequence[str]]:
    """Run the statements on `document`."""
    with connection.cursor() as cursor:
        before: Sequence[Sequence[str]] = []
        if returning:
            cursor.execute(changed(model, returning), [document])
            before = cursor.fetchall()
        cursor.execute(statement(model), [document])
        return before
