"""Logs of millions of events, written by SQL: events, the batches in which they were done, and what is pending."""

from __future__ import annotations

from django.db import connection

EVENTS = """
insert into events_event (event_id, event_type, did, key, priority, payload, digest, version, received_at)
select gen_random_uuid(), 'test.record', 'did:plc:' || mod(n, 50000), mod(n, 50000), mod(n, 4), '{}',
    gen_random_uuid(), n, clock_timestamp()
from generate_series(1, %s) n
"""
BATCHES = """
insert into events_batch (last_id, first_id, finished_at, worker, ids)
select max(id), min(id), max(received_at), 'host:1', array_agg(id)
from events_event where id <= %s group by (id - 1) / %s
"""
PENDING = """
insert into events_pending (key, id, lane, priority)
select key, id, mod(key, 64), priority from events_event where id > %s
"""


def fill(done: int, pending: int, *, batch: int = 300) -> None:
    """Fill an empty log: `done` events in batches of `batch`, then `pending` ones. Keys stand for DIDs by number."""
    with connection.cursor() as cursor:
        cursor.execute("select setval('events_event_id_seq', 1, false)")
        cursor.execute(EVENTS, [done + pending])
        cursor.execute(BATCHES, [done, batch])
        cursor.execute(PENDING, [done])
