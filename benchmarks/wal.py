"""What an event costs: bytes of WAL and of disk, and CPU time of the worker and of PostgreSQL.

Once for a drain of full batches, and once at a low rate, where batches have one event or two. All figures are per
event. WAL begins with a checkpoint, so the full-page images that follow one are in it.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import psutil
import psycopg

from benchmarks.contestant import gate
from benchmarks.figures import medians
from benchmarks.latency import SETTLING, sessions
from benchmarks.ours import Ours
from benchmarks.processes import output_of, running, wait_until
from benchmarks.scale import Scale
from benchmarks.server import Server, cpu_seconds, execute, row

RATE = 100  # events per second

# The main forks of the log's tables, their TOAST tables and all their indexes: what grows with the events.
DISK = """
with log as (select oid, reltoastrelid from pg_class where oid in ('events_event'::regclass, 'events_batch'::regclass)),
tables as (select oid from log union select reltoastrelid from log where reltoastrelid <> 0)
select sum(pg_relation_size(oid)) from (
    select oid from tables union select indexrelid from pg_index where indrelid in (select oid from tables)) relations
"""

Run = dict[str, float]


class Usage(NamedTuple):
    """What was used so far: bytes of WAL, and CPU seconds of the server and of a worker."""

    wal: int
    server: float
    worker: float = 0.0

    def since(self, before: Usage) -> Usage:
        return Usage(self.wal - before.wal, self.server - before.server, self.worker - before.worker)


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Bytes and microseconds per event, of drains without effects and of relationships, and at a low rate."""
    url = server.database("bench_ours")
    applied = Ours(url, applied=True)
    applied.prepare()
    runs: dict[str, list[Run]] = {}
    for _ in range(scale.rounds):
        for ours in (Ours(url, applied=False), applied):
            _note(runs, f"drain, {ours.name}", _drain(server, ours, scale.drain))
        _note(runs, f"{RATE}/s, {applied.name}", _at_rate(server, applied, scale.wal_seconds))
    return {name: {"runs": many, **medians(many)} for name, many in runs.items()}


def _drain(server: Server, ours: Ours, events: int) -> Run:
    ours.empty()
    before = _begin(server)
    output_of(ours.appender("fill", events, ours.event_type, 1), ours.environ())
    appended = _used(server).since(before)
    execute(ours.url, "analyze events_event", "analyze events_pending")
    with gate(ours, ours.follow_command(), 1) as (opened, [worker]):
        process = psutil.Process(worker.pid)
        before = _begin(server, process)
        opened.commit()
        wait_until(lambda: _finished(opened, ours) >= events, 600, "everything applied")
        applied = _used(server, process).since(before)
    return _per_event(ours, events, appended, applied)


def _at_rate(server: Server, ours: Ours, seconds: float) -> Run:
    """First the appends by themselves, then with a worker beside them: the difference is what applying costs."""
    events = int(RATE * seconds)
    ours.empty()
    before = _begin(server)
    output_of(ours.pace_command(RATE, seconds), ours.environ())
    appended = _used(server).since(before)
    ours.empty()
    with running(ours.follow_command(), ours.environ()) as [worker], psycopg.connect(ours.url) as connection:
        wait_until(lambda: sessions(ours.url) > 1, 30, "the worker's connection")
        time.sleep(SETTLING)
        process = psutil.Process(worker.pid)
        before = _begin(server, process)
        output_of(ours.pace_command(RATE, seconds), ours.environ())
        wait_until(lambda: _finished(connection, ours) >= events, 30, "everything applied")
        both = _used(server, process).since(before)
    return _per_event(ours, events, appended, both.since(appended))


def _per_event(ours: Ours, events: int, appended: Usage, applied: Usage) -> Run:
    execute(ours.url, "vacuum events_event", "vacuum events_batch")
    return {
        "WAL B, append": round(appended.wal / events),
        "WAL B, apply": round(applied.wal / events),
        "disk B": round(row(ours.url, DISK)[0] / events),
        "PostgreSQL us, append": round(appended.server / events * 1e6, 1),
        "PostgreSQL us, apply": round(applied.server / events * 1e6, 1),
        "worker us": round(applied.worker / events * 1e6, 1),
        "events/batch": round(events / row(ours.url, "select count(*) from events_batch")[0], 1),
    }


def _begin(server: Server, worker: psutil.Process | None = None) -> Usage:
    server.checkpoint()
    return _used(server, worker)


def _used(server: Server, worker: psutil.Process | None = None) -> Usage:
    return Usage(server.wal_position(), server.cpu_seconds(), cpu_seconds(worker) if worker else 0.0)


def _finished(connection: psycopg.Connection, ours: Ours) -> int:
    """How many events are done, asked on a connection that stays: connecting costs the server CPU time, too."""
    found = connection.execute(ours.finished).fetchone()
    connection.commit()
    return int(found[0] or 0) if found else 0


def _note(runs: dict[str, list[Run]], name: str, run: Run) -> None:
    runs.setdefault(name, []).append(run)
    print(f"  {name}: {', '.join(f'{key} {value:,}' for key, value in run.items())}", flush=True)
