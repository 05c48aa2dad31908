"""A step takes its batch: the lanes that have work, and what is theirs."""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.entry import Entry
from events.log.sqlite.binding import clock, instant, run
from events.log.sqlite.ready import candidates_of, old_first, urgent_first
from events.syntax import microseconds

PREFIX = """
select e.id, e.priority from events_event e indexed by events_unfinished
where e.did = :did and e.state = 0 and e.id + 0 <= :top order by e.id + 0 limit :limit
"""

COLUMNS = """e.id, e.event_id, e.event_type, e.did, e.priority, e.payload, e.version, e.rev, e.occurred_at || '',
    e.received_at || '', e.attempts, e.suspect,
    case when e.available_at > max(:now, e.received_at) then e.available_at end"""

ROWS = f"select {COLUMNS} from events_event e where e.id in (select value from json_each(:ids))"


def fence(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Nothing to fence off: a process that dies lets go of the file, and one that is stopped holds only itself up."""


def lock_lanes(connection: BaseDatabaseWrapper, share: int, floors: Sequence[int], *, by_age: bool) -> list[int]:
    """Up to `share` lanes that have work, the most urgent first (or that with the oldest): the file's lock is held."""
    heads = []
    for (lane,) in run(connection, "select id from events_lane", ()):
        candidates = candidates_of(connection, lane, 1, by_age)
        if candidates:
            heads.append((min(candidates, key=old_first if by_age else urgent_first), lane))
    heads.sort(key=lambda head: (old_first if by_age else urgent_first)(head[0]))
    return [lane for _, lane in heads[:share]]


def lock_these(connection: BaseDatabaseWrapper, lanes: Sequence[int]) -> list[int]:
    """All of `lanes`: the file's lock is held."""
    return list(lanes)


def read(
    connection: BaseDatabaseWrapper, lanes: Sequence[int], limit: int, floors: Sequence[int], *, by_age: bool
) -> list[tuple[Any, ...]]:
    """The next batch of the held lanes: rows as `entry` takes them, then until when the event waits, or None."""
    found = [item for lane in lanes for item in candidates_of(connection, lane, limit, by_age)]
    heads = heapq.nsmallest(limit, found, key=old_first if by_age else urgent_first)
    top: dict[str, int] = {}
    urgent: dict[str, int] = {}
    for id_, did, priority in heads:
        top[did] = max(id_, top.get(did, 0))
        urgent[did] = max(priority, urgent.get(did, 0))
    chosen: list[tuple[int, int]] = []  # (-urgency, id)
    for did, last in top.items():
        prefix = run(connection, PREFIX, {"did": did, "top": last, "limit": limit})
        # A prefix that was cut may lack the urgent event that its DID was chosen for.
        urgency = urgent[did] if len(prefix) >= limit and not by_age else 0
        for id_, priority in reversed(prefix):
            urgency = max(urgency, 0 if by_age else priority)
            chosen.append((-urgency, id_))
    ids = json.dumps([id_ for _, id_ in heapq.nsmallest(limit, chosen)])
    return run(connection, ROWS, {"ids": ids, "now": instant(clock())})


def entry(row: tuple[Any, ...]) -> Entry:
    """The entry of a row that `read` gave."""
    id_, event_id, event_type, did, priority, payload, version, rev, occurred_at, received_at, attempts, suspect = row[
        :12
    ]
    return Entry(
        id_,
        UUID(event_id),
        event_type,
        did,
        priority,
        payload,
        version,
        rev,
        occurred_at and _microseconds(occurred_at),
        _microseconds(received_at),
        attempts,
        bool(suspect),
    )


def _microseconds(stored: str) -> int:
    return microseconds(datetime.fromisoformat(stored).replace(tzinfo=UTC))
