"""The raw limit: the log's design in bare SQL, without pull-forward, retries, isolation or a framework.

    python -m benchmarks.raw_limit work URL (noop | applied) (drain | follow)
    python -m benchmarks.raw_limit pace URL RATE SECONDS

are its worker process and its appender.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks import workload
from benchmarks.pacing import pace
from benchmarks.processes import PYTHON, environment

LANES, BATCH = 64, 300
SCHEMA = """
drop schema if exists limits cascade; create schema limits;
create table limits.event (
  id bigint generated always as identity primary key, event_id uuid not null unique, event_type text not null,
  did text not null, lane smallint not null, payload jsonb not null, priority smallint not null,
  state smallint not null default 0, attempts smallint not null default 0,
  available_at timestamptz not null default now(), received_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz, last_error text not null default '');
create index on limits.event (lane, priority desc, id) where state = 0;
create index on limits.event (did, id) where state = 0;
create table limits.lane (id smallint primary key);
insert into limits.lane select generate_series(0, 63);
create table limits.relationship (uri text primary key, cid text, a text, b text, kind text, strength smallint,
  context text, created_at timestamptz, event bigint);
create index on limits.relationship (a); create index on limits.relationship (b);
"""
APPEND = """insert into limits.event (event_id, event_type, did, lane, payload, priority)
 select i, 'relationship.created', d, l, p, r
 from json_to_recordset(%s::json) as x (i uuid, d text, l smallint, p jsonb, r smallint)
 on conflict (event_id) do nothing returning event_id"""
# A lane is held by its row's lock, for as long as the transaction lives; nothing is written to it.
LOCK = """select l.id from limits.lane l,
 lateral (select priority, id from limits.event e where e.lane = l.id and e.state = 0 and available_at <= now()
  order by priority desc, id limit 1) head
 order by head.priority desc, head.id limit %s for update of l skip locked"""
READ = """select id, payload::text from limits.event where lane = any(%s) and state = 0 and available_at <= now()
 order by priority desc, id limit %s"""
APPLY = """insert into limits.relationship select distinct on (p->>'uri') p->>'uri', p->>'cid',
  p->'participants'->>0, p->'participants'->>1, p->>'type', (p->>'strength')::smallint, p->>'context',
  (p->>'created_at')::timestamptz, e
 from json_to_recordset(%s::json) as x (e bigint, p jsonb) order by p->>'uri', e desc
 on conflict (uri) do update set cid = excluded.cid, strength = excluded.strength, context = excluded.context,
  event = excluded.event where limits.relationship.event < excluded.event"""
DONE = """update limits.event set state = 2, finished_at = clock_timestamp(), attempts = attempts + 1
 where id = any(%s) and state = 0"""
PENDING = "select exists (select 1 from limits.event where state = 0)"


class RawLimit:
    """The raw limit as a contestant: `applied` upserts relationships, else events have no effect."""

    table = "limits.event"
    finished = "select count(*), extract(epoch from max(finished_at)) from limits.event where state = 2"
    latency = "select extract(epoch from finished_at - received_at), received_at from limits.event where state = 2"

    def __init__(self, url: str, *, applied: bool) -> None:
        self.url = url
        self.kind = "applied" if applied else "noop"
        self.name = f"raw limit, {'relationships' if applied else 'no-op'}"

    def empty(self) -> None:
        """Make the tables anew."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(SCHEMA)

    def fill(self, events: int) -> None:
        self.empty()
        with psycopg.connect(self.url, autocommit=True) as connection:
            batch: list[dict[str, Any]] = []
            for event in workload.events(events):
                batch.append(event)
                if len(batch) == 1_000:
                    connection.execute(APPEND, (document(batch),))
                    batch = []
            connection.execute(APPEND, (document(batch),))
            connection.execute("analyze limits.event")

    def command(self) -> list[str]:
        return [PYTHON, "-m", "benchmarks.raw_limit", "work", self.url, self.kind, "drain"]

    def follow_command(self) -> list[str]:
        """The command of a worker that runs until it is told to stop."""
        return [PYTHON, "-m", "benchmarks.raw_limit", "work", self.url, self.kind, "follow"]

    def pace_command(self, rate: float, seconds: float) -> list[str]:
        """The command of an appender."""
        return [PYTHON, "-m", "benchmarks.raw_limit", "pace", self.url, str(rate), str(seconds)]

    def environ(self) -> dict[str, str]:
        return environment()


def document(events: Sequence[dict[str, Any]]) -> str:
    """Events as APPEND takes them."""
    return json.dumps(
        [
            {
                "i": event["event_id"],
                "d": event["did"],
                "l": zlib.crc32(event["did"].encode()) % LANES,
                "p": event["payload"],
                "r": event["priority"],
            }
            for event in events
        ]
    )


def step(connection: psycopg.Connection, share: int, applied: bool) -> tuple[int, int]:
    """One transaction: lock the most urgent lanes, read, apply, complete. Returns (lanes held, events done)."""
    with connection.transaction():
        lanes = [row[0] for row in connection.execute(LOCK, (share,))]
        if not lanes:
            return 0, 0
        rows = connection.execute(READ, (lanes, BATCH)).fetchall()
        if rows and applied:
            items = ",".join(f'{{"e":{id_},"p":{payload}}}' for id_, payload in rows)
            connection.execute(APPLY, (f"[{items}]",))
        if rows and connection.execute(DONE, ([row[0] for row in rows],)).rowcount != len(rows):
            raise psycopg.Rollback
    return len(lanes), len(rows)


def work(url: str, applied: bool, drain: bool) -> None:
    """Take steps, with `drain` until nothing is pending. A full batch halves the share of lanes, others double it."""
    share = LANES
    with psycopg.connect(url, autocommit=True) as connection, psycopg.connect(url, autocommit=True) as ear:
        ear.execute("listen limits")
        while True:
            lanes, done = step(connection, share, applied)
            share = max(1, share // 2) if done == BATCH else min(LANES, share * 2)
            if lanes:
                continue
            row = connection.execute(PENDING).fetchone() if drain else (True,)
            if not (row and row[0]):
                return
            for _ in ear.notifies(timeout=0.02 if drain else 0.1, stop_after=1):
                pass


def append_paced(url: str, rate: float, seconds: float) -> None:
    """Append at `rate` events a second."""
    events = list(workload.events(int(rate * seconds), seed=2))
    with psycopg.connect(url, autocommit=True) as connection:

        def append(due: Sequence[dict[str, Any]]) -> None:
            connection.execute(APPEND, (document(due),))
            connection.execute("notify limits")

        pace(append, events, rate)


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work(sys.argv[2], sys.argv[3] == "applied", sys.argv[4] == "drain")
    else:
        append_paced(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
