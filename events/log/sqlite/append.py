"""Append events: one row in the log and one in the pending work, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import connection

from events.log.sqlite.cursor import array, clock, instant, run

APPEND = """
insert into events_event (
    event_id, event_type, did, key, priority, payload, digest, rev, occurred_at, version, received_at,
    request_id, traceparent
)
select replace(item.value ->> 'i', '-', ''), item.value ->> 't', item.value ->> 'd', item.value ->> 'k',
    item.value ->> 'r', item.value ->> 'p', item.value ->> 'g', item.value ->> 'rev', item.value ->> 'o',
    coalesce(item.value ->> 'v', :microseconds), :now, item.value ->> 'q', item.value ->> 'w'
from json_each(:document) item
where true
order by item.key
on conflict (event_id) do nothing
returning id, event_id
"""

PENDING = """
insert into events_pending (key, id, lane, priority)
select e.key, e.id, ((e.key % lanes.n) + lanes.n) % lanes.n, e.priority
from json_each(:ids) item cross join events_event e on e.id = item.value,
    (select max(id) + 1 as n from events_lane) lanes
"""

DIGESTS = "select event_id, digest from events_event where event_id in (select value from json_each(?))"

SPLITS = False  # there is one writer, whose transaction holds everything

PAUSE = 0.001  # seconds before an append tries again that found the file locked: a third of a worker's pause


@contextmanager
def failing_fast() -> Iterator[None]:
    """Let a writer that finds the file locked fail at once instead of waiting in SQLite's own way.

    SQLite waits in growing sleeps of up to 100 ms and so misses the few milliseconds that a busy worker leaves
    between two batches: appends beside one took 700 ms at the 99th percentile.
    """
    ((timeout,),) = run("pragma busy_timeout")
    run("pragma busy_timeout = 0")
    try:
        yield
    finally:
        if connection.connection is not None:
            run(f"pragma busy_timeout = {timeout}")


def append(document: str, *, impatient: bool = False) -> set[str]:
    """Insert the document's events, ids in its order; the event_ids that were new."""
    now = clock()
    rows = run(
        APPEND,
        {"document": document, "now": instant(now), "microseconds": int(now.timestamp() * 1_000_000)},
    )
    run(PENDING, {"ids": array(id_ for id_, _ in rows)})
    return {str(UUID(event_id)) for _, event_id in rows}


def digests(event_ids: Sequence[str]) -> dict[str, str]:
    """The content digests of those of `event_ids` that the log has."""
    wanted = array(UUID(event_id).hex for event_id in event_ids)
    return {str(UUID(event_id)): digest for event_id, digest in run(DIGESTS, (wanted,))}
