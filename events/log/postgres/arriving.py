"""Events that arrive."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.postgres.binding import array, cursor

APPEND = """
with document as materialized (
    select nextval('events_event_id_seq') as id, clock_timestamp() as at, item.*
    from json_to_recordset(%s::json) as item (
        i uuid, t text, d text, l smallint, r smallint, p jsonb, g text, v bigint, rev text, o timestamptz, e text,
        q text, w text, n text
    )
)
insert into events_event (
    id, event_id, event_type, did, lane, priority, payload, digest, rev, occurred_at, version,
    state, attempts, crashes, suspect, available_at, received_at, finished_at, last_error, request_id,
    traceparent, reason
)
select id, i, t, d, l, r, p, g, rev, o, coalesce(v, (extract(epoch from at) * 1000000)::bigint),
    case when e is null then 0 else 2 end, 0, 0, false, at, at,
    case when e is null then null else at end, coalesce(e, ''), q, w, coalesce(n, '')
from document
order by i
on conflict (event_id) do nothing
returning event_id
"""

DIGESTS = "select event_id, digest from events_event where event_id = any(%s::uuid[])"

KEEP_RAW = "update events_event set raw = %s where event_id = %s"

PAUSE = 0.01  # seconds before an append is repeated that lost to a deadlock


def failing_fast(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """Nothing to change: PostgreSQL's writers queue, and a deadlock fails by itself."""
    return nullcontext()


def append(connection: BaseDatabaseWrapper, document: str) -> set[str]:
    """Insert the document's events, ids in its order; the event_ids that were new."""
    with cursor(connection) as c:
        return {str(row[0]) for row in c.execute(APPEND, (document,))}


def digests(connection: BaseDatabaseWrapper, event_ids: Sequence[str]) -> dict[str, str]:
    """The content digests of those of `event_ids` that the log has."""
    with cursor(connection) as c:
        return {str(event_id): digest for event_id, digest in c.execute(DIGESTS, (array(event_ids),))}
