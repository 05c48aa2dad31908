"""Fetch a batch: limit the transaction in time, lock lanes, and read what is theirs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from math import inf
from typing import Any
from uuid import UUID

from django.db import connection

from events.log import candidates
from events.log.database import Rows, array, run
from events.log.entry import Entry
from events.syntax import microseconds

PRIORITIES = (0, 1, 2, 3)


def set_transaction_limits(seconds: float, lock_timeout: float = inf) -> None:
    """Let the server end the present transaction if a statement, or a silence, lasts `seconds`.

    A statement waits for a lock for a third of that, or for `lock_timeout` seconds if this is less.

    SQLite has nothing to limit: a process that dies lets go of the file, and one that is stopped blocks only itself.
    """
    if connection.vendor == "postgresql":
        whole = max(1, int(seconds * 1000))
        lock = max(1, int(min(seconds / 3, lock_timeout) * 1000))
        run("limits", whole=str(whole), lock=str(lock), transaction=str(whole * 2))


def lock_lanes(share: int, watermarks: Sequence[int], *, by_age: bool, avoid: Collection[int] = ()) -> list[int]:
    """Lock up to `share` lanes that have work and that are not locked: the most urgent, or those with the oldest."""
    if connection.vendor == "sqlite":
        return candidates.lanes(share, by_age=by_age, avoid=avoid)
    rows = run("lock", share=share, avoid=array(avoid), by_age=by_age, **above(watermarks))
    return [lane for (lane,) in rows]


def lock_these(lanes: Sequence[int]) -> list[int]:
    """Lock those of `lanes` that are not locked. On SQLite the file's lock holds them all."""
    if connection.vendor == "sqlite":
        return list(lanes)
    return [lane for (lane,) in run("lock_these", lanes=array(lanes))]


def fetch(
    lanes: Sequence[int],
    limit: int,
    watermarks: Sequence[int],
    *,
    by_age: bool,
    only: Collection[int] | None = None,
) -> Rows:
    """The next batch of the locked lanes, in no order; with `only`, no other event is read.

    A row is id, key, suspect, until when it waits or None, its place, attempts, and its event's columns.
    """
    these = None if only is None else array(only)
    if connection.vendor == "sqlite":
        return run("fetch", chosen=candidates.chosen(lanes, limit, by_age=by_age), only=these)
    lowest = min(watermarks)
    return run("fetch", lanes=array(lanes), limit=limit, by_age=by_age, only=these, lowest=lowest, **above(watermarks))


def fetch_suspect(event: int) -> Rows:
    """The row of one suspect, if it may still run now, as `fetch` gives it."""
    return run("fetch_suspect", event=event)


def any_ready() -> bool:
    """Whether a batch is worth its transaction: PostgreSQL answers that as it locks lanes.

    On SQLite an idle worker must not take the file's one write lock to find out.
    """
    return connection.vendor == "postgresql" or bool(run("any_ready")[0][0])


def entries(rows: Rows) -> list[Entry]:
    """The entries of rows that `fetch` gave."""
    if connection.vendor == "postgresql":
        return [Entry(*row[:2], *row[4:]) for row in rows]
    return [_of_sqlite(*row) for row in rows]


def above(watermarks: Sequence[int]) -> dict[str, int]:
    """The low watermarks as parameters, by priority."""
    return {f"above{priority}": watermarks[priority] for priority in PRIORITIES}


def _of_sqlite(id_: int, key: int, _: Any, __: Any, place: str, attempts: int, event_id: str, *columns: Any) -> Entry:
    *same, occurred, received = columns
    # Without its event a pending row has none of these, as on PostgreSQL.
    times = occurred and _microseconds(occurred), received and _microseconds(received)
    return Entry(*(id_, key, place, attempts, event_id and UUID(event_id), *same, *times))


def _microseconds(stored: str) -> int:
    return microseconds(datetime.fromisoformat(f"{stored}+00:00"))
