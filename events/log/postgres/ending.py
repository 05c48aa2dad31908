"""What became of a batch's events, and the tally of it."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.postgres.binding import array, cursor
from events.models.attempt import KEPT

# What is not read by the rest of a statement runs after it, so the events' rows are always locked before the tally's.
COUNT = """
insert into events_tally as tally (lane, processed, failed) values (%(lane)s, %(processed)s, %(failed)s)
on conflict (lane) do update
set processed = tally.processed + excluded.processed, failed = tally.failed + excluded.failed
"""

COMPLETE = f"""
with counted as ({COUNT}), done as (
    update events_event set state = 1, attempts = attempts + 1, finished_at = clock_timestamp()
    where id = any(%(ids)s::bigint[]) and state = 0
    returning 1
)
select count(*), (extract(epoch from clock_timestamp()) * 1000000)::bigint from done
"""

# An event that failed: tried again in `wait` seconds, or dead where that is null. Beside each verdict the attempt;
# of an event's attempts the newest stay.
FAIL = f"""
with item as materialized (
    select * from json_to_recordset(%(document)s::json) as item (
        id bigint, wait float8, error text, reason text, kind text, message text, trace text
    )
), failed as (
    update events_event e set attempts = e.attempts + 1, last_error = item.error,
        reason = case when item.wait is null then item.reason else '' end,
        state = case when item.wait is null then 2 else 0 end,
        finished_at = case when item.wait is null then clock_timestamp() end,
        available_at = case when item.wait is null then e.available_at
            else clock_timestamp() + item.wait * interval '1 second' end
    from item
    where e.id = item.id and e.state = 0
    returning e.id, e.attempts
), forgotten as (
    delete from events_attempt a using failed
    where a.event_id = failed.id and a.id <= (
        select b.id from events_attempt b where b.event_id = failed.id order by b.id desc offset {KEPT - 1} limit 1)
), kept as (
    insert into events_attempt (event_id, number, at, worker, kind, message, trace)
    select failed.id, failed.attempts, clock_timestamp(), %(worker)s, item.kind, item.message, item.trace
    from failed join item on item.id = failed.id
)
select count(*) from failed
"""


def complete(connection: BaseDatabaseWrapper, ids: Sequence[int], lane: int, failed: int) -> tuple[int, int]:
    """Mark events done, and count them and `failed` attempts in the tally of a lane that is held.

    Answers how many of the events were still pending, and the time: microseconds since 1970.
    """
    parameters = {"ids": array(ids), "lane": lane, "processed": len(ids), "failed": failed}
    with cursor(connection) as c:
        row = c.execute(COMPLETE, parameters).fetchone()
    assert row is not None, "an aggregate answers one row"
    return row[0], row[1]


def count(connection: BaseDatabaseWrapper, lane: int, *, failed: int) -> None:
    """Count attempts that failed outside a step's transaction."""
    with cursor(connection) as c:
        c.execute(COUNT, {"lane": lane, "processed": 0, "failed": failed})


def fail(connection: BaseDatabaseWrapper, document: str, worker: str) -> int:
    """Record failed attempts at `worker`; how many of the events were still pending.

    A JSON list of {id, wait: seconds or null, error, reason, kind, message, trace}.
    """
    with cursor(connection) as c:
        row = c.execute(FAIL, {"document": document, "worker": worker}).fetchone()
    assert row is not None, "an aggregate answers one row"
    return int(row[0])
