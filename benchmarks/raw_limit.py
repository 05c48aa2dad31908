"""The raw limit: the log's design in bare SQL, without pull-forward, watermarks, retries, bisection or a framework.

    python -m benchmarks.raw_limit work URL (noop | applied) (drain | follow)
    python -m benchmarks.raw_limit pace URL RATE SECONDS

are its worker process and its appender.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks import workload
from benchmarks.pacing import pace
from benchmarks.processes import PYTHON, environment
from benchmarks.server import execute
from events.lanes import did_key

LANES, BATCH = 64, 500
# Columns that a statement must fill, and the indexes and storage settings of events/migrations.
SCHEMA = """
drop schema if exists limits cascade; create schema limits;
create table limits.event (
  id bigint primary key, event_id uuid not null unique, event_type text not null, did text not null,
  key bigint not null, priority smallint not null, payload text not null,
  digest uuid not null default '00000000000000000000000000000000',
  received_at timestamptz not null default clock_timestamp());
create index on limits.event (key, id);
create sequence limits.event_id owned by limits.event.id;
create table limits.pending (
  key bigint not null, id bigint not null, lane smallint not null, priority smallint not null,
  available_at timestamptz, attempts smallint not null default 0, crashes smallint not null default 0,
  suspect boolean not null default false, primary key (key, id))
 with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  vacuum_truncate = off);
create index on limits.pending (lane, priority desc, id) where available_at is null and not suspect;
create index on limits.pending (lane, priority desc, available_at) where available_at is not null and not suspect;
create index on limits.pending (key, id) where available_at is not null or suspect;
create index on limits.pending (id) where suspect;
create table limits.batch (
  last_id bigint primary key, first_id bigint not null, finished_at timestamptz not null, ids bigint[]);
create table limits.lane (id smallint primary key);
insert into limits.lane select generate_series(0, 63);
create table limits.relationship (
  hash bytea primary key, uri text not null, cid text, a text, b text, kind text, strength smallint, context text,
  created_at timestamptz, event bigint);
create index on limits.relationship (a); create index on limits.relationship (b);
"""
# An id is drawn after its transaction has an xid: the low watermarks of the workers rely on it.
APPEND = f"""with document as materialized (
  select case when pg_current_xact_id() is not null then nextval('limits.event_id') end as id, i, d, k, r, p
  from json_to_recordset(%s::json) as x (i uuid, d text, k bigint, r smallint, p text)
 ), inserted as (
  insert into limits.event (id, event_id, event_type, did, key, priority, payload)
  select id, i, 'relationship.created', d, k, r, p from document order by i
  on conflict (event_id) do nothing returning id, event_id, key, priority
 ), pending as (
  insert into limits.pending (key, id, lane, priority)
  select key, id, mod(mod(key, {LANES}) + {LANES}, {LANES}), priority from inserted)
 select event_id from inserted"""
READY = "available_at is null and not suspect"
# Plans that use the indexes, whatever the statistics of the moment say.
PLAN = "select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)"
# A lane is held by its row's lock, for as long as the transaction lives; nothing is written to it.
LOCK = f"""select l.id from limits.lane l,
 lateral (select priority, id from limits.pending where lane = l.id and {READY}
  order by priority desc, id limit 1) head
 order by head.priority desc, head.id limit %s for update of l skip locked"""
FETCH = f"""with head as materialized (
  select id, ctid from limits.pending where lane = any(%s) and {READY} order by priority desc, id limit %s)
 select e.id, e.payload, head.ctid::text from head join limits.event e on e.id = head.id"""
APPLY = """insert into limits.relationship (hash, uri, cid, a, b, kind, strength, context, created_at, event)
 select distinct on (p->>'uri') sha256((p->>'uri')::bytea), p->>'uri', p->>'cid', p->'participants'->>0,
  p->'participants'->>1, p->>'type', (p->>'strength')::smallint, p->>'context', (p->>'created_at')::timestamptz, e
 from json_to_recordset(%s::json) as x (e bigint, p json) order by p->>'uri', e desc
 on conflict (hash) do update set cid = excluded.cid, strength = excluded.strength, context = excluded.context,
  event = excluded.event where limits.relationship.event < excluded.event"""
COMPLETE = """with gone as (
  delete from limits.pending where ctid = any(%s::tid[]) and id = any(%s::bigint[]) returning id
 ), batch as (
  insert into limits.batch (last_id, first_id, finished_at, ids)
  select max(id), min(id), clock_timestamp(),
   case when count(*) > 1 then array_agg(id) end from gone)
 select count(*) from gone"""
PENDING = "select exists (select 1 from limits.pending)"


class RawLimit:
    """The raw limit as a contestant: `applied` upserts relationships, else events have no effect."""

    table = "limits.pending"
    finished = "select sum(coalesce(cardinality(ids), 1)), extract(epoch from max(finished_at)) from limits.batch"
    latency = """select extract(epoch from b.finished_at - e.received_at), e.received_at
 from limits.batch b cross join unnest(coalesce(b.ids, array[b.last_id])) as done (id)
 join limits.event e on e.id = done.id"""

    def __init__(self, url: str, *, applied: bool) -> None:
        self.url = url
        self.kind = "applied" if applied else "noop"
        self.name = f"raw limit, {'relationships' if applied else 'no-op'}"

    def empty(self) -> None:
        """Create the tables anew."""
        execute(self.url, SCHEMA)

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
        execute(self.url, "analyze limits.event", "analyze limits.pending")

    def command(self) -> list[str]:
        return [PYTHON, "-m", "benchmarks.raw_limit", "work", self.url, self.kind, "drain"]

    def follow_command(self) -> list[str]:
        """The command of a worker that runs until it is stopped."""
        return [PYTHON, "-m", "benchmarks.raw_limit", "work", self.url, self.kind, "follow"]

    def pace_command(self, rate: float, seconds: float) -> list[str]:
        """The command of an appender."""
        return [PYTHON, "-m", "benchmarks.raw_limit", "pace", self.url, str(rate), str(seconds)]

    def environ(self) -> dict[str, str]:
        return environment()


def document(events: Sequence[dict[str, Any]]) -> str:
    """Encode events as APPEND takes them."""
    return json.dumps(
        [
            {
                "i": event["event_id"],
                "d": event["did"],
                "k": did_key(event["did"]),
                "r": event["priority"],
                "p": json.dumps(event["payload"], separators=(",", ":")),
            }
            for event in events
        ]
    )


def run_batch(connection: psycopg.Connection, share: int, applied: bool) -> tuple[int, int]:
    """Run one transaction: lock the most urgent lanes, fetch, apply, complete. Returns (lanes locked, events done)."""
    with connection.transaction():
        connection.execute(PLAN)
        lanes = [row[0] for row in connection.execute(LOCK, (share,))]
        if not lanes:
            return 0, 0
        rows = connection.execute(FETCH, (lanes, BATCH)).fetchall()
        if rows and applied:
            items = ",".join(f'{{"e":{id_},"p":{payload}}}' for id_, payload, _ in rows)
            connection.execute(APPLY, (f"[{items}]",))
        if rows:
            places = ",".join(f'"{place}"' for _, _, place in rows)
            ids = ",".join(str(id_) for id_, _, _ in rows)
            completed = connection.execute(COMPLETE, (f"{{{places}}}", f"{{{ids}}}")).fetchone()
            if completed != (len(rows),):
                raise psycopg.Rollback
    return len(lanes), len(rows)


def work(url: str, applied: bool, drain: bool) -> None:
    """Run batches, with `drain` until nothing is pending. A full batch halves the share of lanes, others double it."""
    share = LANES
    with (
        psycopg.connect(url, autocommit=True, prepare_threshold=3) as connection,
        psycopg.connect(url, autocommit=True) as listener,
    ):
        listener.execute("listen limits")
        while True:
            lanes, done = run_batch(connection, share, applied)
            share = max(1, share // 2) if done == BATCH else min(LANES, share * 2)
            if lanes:
                continue
            row = connection.execute(PENDING).fetchone() if drain else (True,)
            if not (row and row[0]):
                return
            for _ in listener.notifies(timeout=0.005 if drain else 0.1, stop_after=1):
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
