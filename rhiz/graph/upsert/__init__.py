"""Writing a batch of rows: one statement, one parameter, the newest version of each record stands.

`postgres` and `sqlite` hold the same statement in two dialects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from django.db import connection

from rhiz.graph.models import Record
from rhiz.graph.rows import Row
from rhiz.graph.upsert import postgres, sqlite

_encode = msgspec.json.Encoder().encode


def write(model: type[Record], rows: Iterable[Row], returning: tuple[str, ...] = ()) -> Sequence[Sequence[str]]:
    """Write `rows` to the table of `model`, except those older than what is there.

    Returns the former values of the columns `returning`, of rows that existed and had other values in them. Runs in the
    caller's transaction on the connection `default`, which holds the lanes of the records' DIDs: nobody else
    writes these rows between what is read and what is written.
    """
    kept = newest(rows)
    if not kept:
        return []
    dialect = postgres if connection.vendor == "postgresql" else sqlite
    return dialect.execute(connection, model, _encode(kept).decode(), returning)


def newest(rows: Iterable[Row]) -> list[Row]:
    """The newest row of each key, in the order of the keys.

    A statement may write a row only once, and two batches that write their rows in one order can't deadlock.
    """
    kept: dict[str, Row] = {}
    for row in rows:
        other = kept.get(row.key)
        if other is None or (other.version, other.event) < (row.version, row.event):
            kept[row.key] = row
    return [kept[key] for key in sorted(kept)]
