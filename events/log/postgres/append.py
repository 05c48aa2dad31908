"""Append events: one row in the log and one in the pending work, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from events.log.postgres.cursor import array, cursor

# An id is drawn after its transaction has an xid: the low watermarks rely on it (see events/worker/watermarks.py), and
# nextval() alone gives one only every 32nd call. Ids follow the document's order, rows are inserted in the order of
# event_id: two appends of the same events in opposite order would deadlock. A payload is handed over as a text member:
# json_to_recordset refuses NUL and lone surrogates in a json member.
APPEND = """
with document as materialized (
    select case when pg_current_xact_id() is not null then nextval('events_event_id_seq') end as id,
        clock_timestamp() as at, item.*
    from json_to_recordset(%s::json) as item (
        i uuid, t text, d text, k bigint, r smallint, p text, g uuid, v bigint, rev text, o timestamptz, q text, w text
    )
), inserted as (
    insert into events_event (
        id, event_id, event_type, did, key, priority, payload, digest, rev, occurred_at, version, received_at,
        request_id, traceparent
    )
    select id, i, t, d, k, r, p, g, rev, o, coalesce(v, (extract(epoch from at) * 1000000)::bigint), at, q, w
    from document
    order by i
    on conflict (event_id) do nothing
    returning id, event_id, key, priority
), pending as (
    insert into events_pending (key, id, lane, priority)
    select key, id, mod(mod(key, lanes.n) + lanes.n, lanes.n), priority
    from inserted, (select max(id) + 1 as n from events_lane) lanes
)
select event_id from inserted
"""

# The same, but an event_id that an open transaction holds is waited for for a few milliseconds only: then 55P03.
APPEND_OR_LOCKED = APPEND.replace(
    "with document as",
    """with impatience as materialized (
    select set_config('lock_timeout', '5ms', true)
), document as""",
).replace("from json_to_recordset", "from impatience, json_to_recordset")

# A row may be visible before its commit is replicated, when what waited for the standby was ended. Where there is a
# synchronous standby, this transaction writes WAL after the row was seen, so its own commit waits for both.
DIGESTS = """
with replicated as materialized (
    select case when current_setting('synchronous_standby_names') <> ''
        then pg_logical_emit_message(true, 'rhiz', 'duplicate') end
)
select event_id, replace(digest::text, '-', '') from replicated, events_event where event_id = any(%s::uuid[])
"""

SPLITS = True  # a group that meets a lock may be split

PAUSE = 0.01  # seconds before an append is repeated that lost to a deadlock


def failing_fast() -> AbstractContextManager[None]:
    """Nothing to change: PostgreSQL's writers queue, and a deadlock fails by itself."""
    return nullcontext()


def append(document: str, *, impatient: bool = False) -> set[str]:
    """Insert the document's events, ids in its order; the event_ids that were new.

    Raises OperationalError (55P03) where it is `impatient` and an open transaction holds one of them.
    """
    with cursor() as c:
        return {str(row[0]) for row in c.execute(APPEND_OR_LOCKED if impatient else APPEND, (document,))}


def digests(event_ids: Sequence[str]) -> dict[str, str]:
    """The content digests of those of `event_ids` that the log has."""
    with cursor() as c:
        return {str(event_id): digest for event_id, digest in c.execute(DIGESTS, (array(event_ids),))}
