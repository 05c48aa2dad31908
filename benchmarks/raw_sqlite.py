"""The raw limit on SQLite: this project's own tables and indexes, drained by hand-written statements.

    python -m benchmarks.raw_sqlite FILE

is its worker process. WAL, synchronous=FULL, BEGIN IMMEDIATE, batches of 300, no pause between them.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime
from hashlib import sha256

BATCH = 300
LANES = "select id from events_lane order by id"
FETCH = """select p.id, p.key, e.payload, e.version
 from events_pending p indexed by events_ready cross join events_event e on e.id = p.id
 where p.lane = ? and p.available_at is null and not p.suspect order by p.priority desc, p.id limit ?"""
APPLY = """insert into graph_relationship as stored (key, uri, did, cid, created_at, version, event, deleted,
  participant_a, participant_b, kind, strength, context)
 select key(value ->> '$.p.uri'), value ->> '$.p.uri', value ->> '$.p.participants[0]', value ->> '$.p.cid',
  replace(rtrim(value ->> '$.p.created_at', 'Z'), 'T', ' '), value ->> '$.v', value ->> '$.e', 0,
  value ->> '$.p.participants[0]', value ->> '$.p.participants[1]', value ->> '$.p.type', value ->> '$.p.strength',
  value ->> '$.p.context'
 from json_each(?) where true
 on conflict (key) do update set cid = excluded.cid, strength = excluded.strength, context = excluded.context,
  version = excluded.version, event = excluded.event
 where (stored.version, stored.event) < (excluded.version, excluded.event)"""
DELETE = """delete from events_pending
 where (key, id) in (select value ->> 0, value ->> 1 from json_each(?))"""
RECORD = "insert into events_batch (last_id, first_id, finished_at, worker, ids) values (?, ?, ?, '', ?)"


def work(file: str) -> None:
    """Run batches until nothing is pending."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=20)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma cache_size = -32000")
    connection.execute("pragma wal_autocheckpoint = 10000")
    connection.create_function("key", 1, lambda uri: sha256(uri.encode()).digest()[:16].hex(), deterministic=True)
    for (lane,) in connection.execute(LANES).fetchall():
        while _run_batch(connection, lane):
            pass
    connection.close()


def _run_batch(connection: sqlite3.Connection, lane: int) -> bool:
    """Run one transaction over a batch of one lane; return whether it had any events."""
    connection.execute("begin immediate")
    rows = connection.execute(FETCH, (lane, BATCH)).fetchall()
    if rows:
        items = ",".join(f'{{"e":{id_},"v":{version},"p":{payload}}}' for id_, _, payload, version in rows)
        connection.execute(APPLY, (f"[{items}]",))
        ids = sorted(row[0] for row in rows)
        connection.execute(DELETE, (json.dumps([[key, id_] for id_, key, _, _ in rows]),))
        now = str(datetime.now(UTC).replace(tzinfo=None))
        connection.execute(RECORD, (ids[-1], ids[0], now, json.dumps(ids)))
    connection.execute("commit")
    return bool(rows)


if __name__ == "__main__":
    work(sys.argv[1])
