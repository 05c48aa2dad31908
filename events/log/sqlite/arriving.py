"""Events that arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.sqlite.binding import clock, instant, run

APPEND = """
insert into events_event (
    event_id, event_type, did, lane, priority, payload, digest, rev, occurred_at, version,
    state, attempts, crashes, suspect, available_at, received_at, finished_at, last_error, request_id,
    traceparent, reason
)
select replace(item.value ->> 'i', '-', ''), item.value ->> 't', item.value ->> 'd', item.value ->> 'l',
    item.value ->> 'r', item.value -> 'p', item.value ->> 'g', item.value ->> 'rev', item.value ->> 'o',
    coalesce(item.value ->> 'v', :microseconds),
    case when item.value ->> 'e' is null then 0 else 2 end, 0, 0, 0, :now, :now,
    case when item.value ->> 'e' is null then null else :now end, coalesce(item.value ->> 'e', ''),
    item.value ->> 'q', item.value ->> 'w', coalesce(item.value ->> 'n', '')
from json_each(:document) item
where true
order by item.key
on conflict (event_id) do nothing
returning event_id
"""

DIGESTS = "select event_id, digest from events_event where event_id in (select value from json_each(?))"

PAUSE = 0.001  # seconds before an append tries again that found the file locked: a third of a worker's breath


@contextmanager
def failing_fast(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let a writer that finds the file locked fail at once instead of waiting in SQLite's own way.

    SQLite waits in growing sleeps of up to 100 ms and so misses the few milliseconds that a busy worker leaves
    between two steps: appends beside one took 700 ms at the 99th percentile.
    """
    connection.ensure_connection()
    ((patience,),) = run(connection, "pragma busy_timeout", ())
    run(connection, "pragma busy_timeout = 0", ())
    try:
        yield
    finally:
        if connection.connection is not None:
            run(connection, f"pragma busy_timeout = {patience}", ())


def append(connection: BaseDatabaseWrapper, document: str) -> set[str]:
    """Insert the document's events, ids in its order; the event_ids that were new."""
    now = clock()
    rows = run(
        connection,
        APPEND,
        {"document": document, "now": instant(now), "microseconds": int(now.timestamp() * 1_000_000)},
    )
    return {str(UUID(row[0])) for row in rows}


def digests(connection: BaseDatabaseWrapper, event_ids: Sequence[str]) -> dict[str, str]:
    """The content digests of those of `event_ids` that the log has."""
    wanted = json.dumps([UUID(event_id).hex for event_id in event_ids])
    return {str(UUID(event_id)): digest for event_id, digest in run(connection, DIGESTS, (wanted,))}
