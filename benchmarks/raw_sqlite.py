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
READ = """select id, payload, version from events_event indexed by events_ready
 where lane = ? and state = 0 and not suspect and available_at <= received_at
 order by priority desc, id + 0 limit ?"""
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
DONE = """update events_event set state = 1, attempts = attempts + 1, finished_at = ?
 where id in (select value from json_each(?)) and state = 0"""


def work(file: str) -> None:
    """Take steps until nothing is pending."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=20)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.create_function("key", 1, lambda uri: sha256(uri.encode()).digest()[:16].hex(), deterministic=True)
    for (lane,) in connection.execute(LANES).fetchall():
        while _step(connection, lane):
            pass
    connection.close()


def _step(connection: sqlite3.Connection, lane: int) -> bool:
    """One transaction over a batch of one lane; whether it had any."""
    connection.execute("begin immediate")
    rows = connection.execute(READ, (lane, BATCH)).fetchall()
    if rows:
        items = ",".join(f'{{"e":{id_},"v":{version},"p":{payload}}}' for id_, payload, version in rows)
        connection.execute(APPLY, (f"[{items}]",))
        now = str(datetime.now(UTC).replace(tzinfo=None))
        connection.execute(DONE, (now, json.dumps([row[0] for row in rows])))
    connection.execute("commit")
    return bool(rows)


if __name__ == "__main__":
    work(sys.argv[1])
