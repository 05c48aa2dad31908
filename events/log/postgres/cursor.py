"""How values reach the server, and rows come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection


@contextmanager
def cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A cursor that binds on the server, so that statements can be prepared; Django's own binds in the client.

    Raises Django's database errors, as its own does.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as bare:
        yield bare


def array(values: Iterable[object]) -> str:
    """The text of an array, which the server casts."""
    # psycopg's own dumper looks at every element.
    return "{" + ",".join(map(str, values)) + "}"


def instant(moment: datetime) -> str:
    """A moment as these statements take it."""
    return moment.isoformat()
