"""Reading the graph as it was at one moment, row by row, while workers go on writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Collate
from django.db.models.query import ValuesListIterable

CHUNK = 2_000  # rows held in memory at a time


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads inside see one state of the tables, and stop no writer. In the caller's transaction: its view."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        # Not atomic(): the settings make that BEGIN IMMEDIATE, which would keep writers out all the while.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def rows(queryset: QuerySet[Any, Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a `values_list`, read from the server a chunk at a time; only inside `snapshot`.

    `iterator()` would read all of them at once where server-side cursors are turned off because of a pooler; inside
    one transaction they work there too.
    """
    return iter(ValuesListIterable(queryset, chunked_fetch=True, chunk_size=CHUNK))


def by_bytes(field: str) -> Combinable:
    """`field` ordered by its bytes, the same on every database."""
    return Collate(field, "C" if connection.vendor == "postgresql" else "BINARY")
