"""Fetch a batch: the lanes that have work, and what is theirs."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from events.log.entry import Entry
from events.log.sqlite.candidates import candidates, old_first, urgent_first
from events.log.sqlite.cursor import array, clock, instant, run
from events.syntax import microseconds

# The first rows of each chosen key up to the last that was chosen of it, `limit` of them at the most.
PREFIX = """
select p.key, p.id, p.priority
from json_each(:tops) top
cross join events_pending p on p.key = top.value ->> 0 and p.id <= min(top.value ->> 1, coalesce((
    select q.id from events_pending q where q.key = top.value ->> 0 order by q.id limit 1 offset :limit - 1
), top.value ->> 1))
order by p.key, p.id
"""

# As on PostgreSQL: id, key, suspect, until when the row waits, where it is (its id says that here), attempts.
WORK = "c.id, c.key, c.suspect, case when c.available_at > :now then c.available_at end, '', c.attempts"

EVENT = """e.event_id, e.event_type, e.did, e.priority, e.payload, e.version, e.rev, e.occurred_at || '',
    e.received_at || ''"""

BYTES = 8_000_000  # of payloads in a batch, unless its first event alone has more

KEYS = """with item as (
    select i.value as id, k.value as key, i.key as number
    from json_each(:ids) i join json_each(:keys) k on k.key = i.key
)"""

PEEK = f"""{KEYS}
select {WORK} from item cross join events_pending c on c.key = item.key and c.id = item.id
"""

READ = f"""{KEYS}
select {WORK}, {EVENT}
from item cross join events_pending c on c.key = item.key and c.id = item.id
cross join events_event e on e.id = item.id
order by item.number
"""


def set_transaction_limits(seconds: float) -> None:
    """Nothing to limit: a process that dies lets go of the file, and one that is stopped blocks only itself."""


def lock_lanes(share: int, watermarks: Sequence[int], *, by_age: bool, avoid: Sequence[int] = ()) -> list[int]:
    """Up to `share` lanes that have work, the most urgent first (or that with the oldest): the file's lock is held."""
    order = old_first if by_age else urgent_first
    lanes = (lane for (lane,) in run("select id from events_lane") if lane not in avoid)
    heads = [(order(min(rows, key=order)), lane) for lane, rows in candidates(lanes, 1, by_age).items()]
    return [lane for _, lane in heapq.nsmallest(share, heads)]


def lock_these(lanes: Sequence[int]) -> list[int]:
    """All of `lanes`: the file's lock is held."""
    return list(lanes)


def peek(lanes: Sequence[int], limit: int, watermarks: Sequence[int], *, by_age: bool) -> list[tuple[Any, ...]]:
    """The next batch of the locked lanes, without payloads: rows as WORK has them."""
    chosen = _choose(lanes, limit, by_age)
    return run(PEEK, _parameters([key for key, _ in chosen], [id_ for _, id_ in chosen]))


def fetch(lanes: Sequence[int], limit: int, watermarks: Sequence[int], *, by_age: bool) -> list[tuple[Any, ...]]:
    """The next batch of the locked lanes: rows as WORK and EVENT have them."""
    chosen = _choose(lanes, limit, by_age)
    rows = read([key for key, _ in chosen], [id_ for _, id_ in chosen])
    size = 0
    for number, row in enumerate(rows):
        size += len(row[10])
        if size > BYTES and number:
            return rows[:number]
    return rows


def read(keys: Sequence[int], ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """These pending rows with their events, in this order: rows as `fetch` gives them."""
    return run(READ, _parameters(keys, ids))


def entry(row: tuple[Any, ...]) -> Entry:
    """The entry of a row that `fetch` or `read` gave."""
    id_, key, suspect, _, place, attempts, event_id = row[:7]
    event_type, did, priority, payload, version, rev, occurred, received = row[7:]
    known = id_, key, bool(suspect), place, attempts, UUID(event_id), event_type, did, priority, payload, version, rev
    return Entry(*known, occurred and _microseconds(occurred), _microseconds(received))


def _choose(lanes: Sequence[int], limit: int, by_age: bool) -> list[tuple[int, int]]:
    """(key, id) of the next batch, in the order by which it is cut. Of each key a prefix of its pending rows."""
    found = [item for rows in candidates(lanes, limit, by_age).values() for item in rows]
    heads = heapq.nsmallest(limit, found, key=old_first if by_age else urgent_first)
    top: dict[int, int] = {}
    urgent: dict[int, int] = {}
    for id_, key, priority in heads:
        top[key] = max(id_, top.get(key, 0))
        urgent[key] = max(priority, urgent.get(key, 0))
    chosen: list[tuple[int, int, int]] = []  # -urgency, id, key
    for key, group in groupby(run(PREFIX, {"tops": array(top.items()), "limit": limit}), itemgetter(0)):
        prefix = list(group)
        # A prefix that was cut may lack the urgent event that its key was chosen for.
        urgency = urgent[key] if len(prefix) >= limit and not by_age else 0
        for _, id_, priority in reversed(prefix):
            urgency = max(urgency, 0 if by_age else priority)
            chosen.append((-urgency, id_, key))
    return [(key, id_) for _, id_, key in heapq.nsmallest(limit, chosen)]


def _parameters(keys: Sequence[int], ids: Sequence[int]) -> dict[str, str]:
    return {"keys": array(keys), "ids": array(ids), "now": instant(clock())}


def _microseconds(stored: str) -> int:
    return microseconds(datetime.fromisoformat(stored).replace(tzinfo=UTC))
