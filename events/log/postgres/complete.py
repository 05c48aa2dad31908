"""Complete a batch: delete its pending rows, record the batch, count it, and record the attempts that failed."""

from __future__ import annotations

from collections.abc import Sequence

from events.log.entry import Entry
from events.log.postgres.cursor import array, cursor
from events.models.attempt import KEPT
from events.models.batch import SPAN

# What is not read by the rest of a statement runs after it, so the pending rows are always locked before the tally's.
COUNT = """
insert into events_tally as tally (lane, processed, failed) values (%(lane)s, %(processed)s, %(failed)s)
on conflict (lane) do update
set processed = tally.processed + excluded.processed, failed = tally.failed + excluded.failed
"""

# By ctid, which finds a row without an index, and by id, because a ctid may be another row's by now. Fewer rows than
# ids: somebody changed a row after it was fetched.
COMPLETE = f"""
with counted as ({COUNT}), gone as (
    delete from events_pending where ctid = any(%(places)s::tid[]) and id = any(%(ids)s::bigint[])
    returning id
), batch as (
    insert into events_batch (last_id, first_id, finished_at, worker, ids)
    select max(id), min(id), clock_timestamp(), %(worker)s, array_agg(id) from gone group by id / {SPAN}
)
select count(*), (extract(epoch from clock_timestamp()) * 1000000)::bigint from gone
"""

# An event that failed is tried again in `wait` seconds, or becomes a dead letter where that is null. Beside each
# outcome the attempt is kept; of an event's attempts the newest stay.
FAIL = f"""
with item as materialized (
    select * from json_to_recordset(%(document)s::json) as item (
        key bigint, id bigint, wait float8, error text, reason text, kind text, message text, trace text
    )
), retried as (
    update events_pending p set attempts = p.attempts + 1,
        available_at = clock_timestamp() + item.wait * interval '1 second'
    from item
    where p.key = item.key and p.id = item.id and item.wait is not null
    returning p.id, p.attempts
), gone as (
    delete from events_pending p using item
    where p.key = item.key and p.id = item.id and item.wait is null
    returning p.id, (p.attempts + 1)::smallint as attempts
), dead as (
    insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, note)
    select e.id, e.event_type, e.did, item.reason, item.error, gone.attempts, clock_timestamp(), ''
    from gone join item on item.id = gone.id join events_event e on e.id = gone.id
), failed as (
    select id, attempts from retried union all select id, attempts from gone
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


def complete(entries: Sequence[Entry], lane: int, failed: int, worker: str) -> tuple[int, int]:
    """Complete applied events, and count them and `failed` attempts in the tally of a lane that is locked.

    Returns how many of the events were still as they were fetched, and the time: microseconds since 1970.
    """
    parameters = {
        "ids": array(entry.id for entry in entries),
        "places": "{" + ",".join(f'"{entry.place}"' for entry in entries) + "}",
        "lane": lane,
        "processed": len(entries),
        "failed": failed,
        "worker": worker,
    }
    with cursor() as c:
        row = c.execute(COMPLETE, parameters).fetchone()
    assert row is not None, "an aggregate answers one row"
    return row[0], row[1]


def count(lane: int, *, failed: int) -> None:
    """Count attempts that failed outside a batch's transaction."""
    with cursor() as c:
        c.execute(COUNT, {"lane": lane, "processed": 0, "failed": failed})


def fail(document: str, worker: str) -> int:
    """Record failed attempts at `worker`; how many of the events were still pending.

    A JSON list of {key, id, wait: seconds or null, error, reason, kind, message, trace}.
    """
    with cursor() as c:
        row = c.execute(FAIL, {"document": document, "worker": worker}).fetchone()
    assert row is not None, "an aggregate answers one row"
    return int(row[0])
