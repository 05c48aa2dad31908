"""On SQLite: a relationship drain against the raw limit, and appends of another process beside a busy worker."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import latencies, median
from benchmarks.ours import Ours
from benchmarks.processes import PYTHON, BenchmarkError, output_of, running, wait_for_end, wait_until
from benchmarks.scale import Scale
from benchmarks.server import Server
from benchmarks.workload import RELATIONSHIP

FINISHED = "select finished_at, count(*) from events_event where state = 1 group by finished_at order by finished_at"
APPEND_PAUSE = 0.005  # seconds between two appends of the process beside the worker


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Events per second of both in turn, from the first completion to the last; p50 and p99 of appends."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        full = Path(folder) / "full.sqlite3"
        _fill(full, scale.sqlite)
        rates: dict[str, list[float]] = {"raw limit": [], "rhiz": []}
        for _ in range(scale.rounds):
            file = _copy(full)
            rates["raw limit"].append(_drain(file, [PYTHON, "-m", "benchmarks.raw_sqlite", str(file)], scale.sqlite))
            file = _copy(full)
            rates["rhiz"].append(_drain(file, _ours(file).command(), scale.sqlite))
            print(f"  raw limit {rates['raw limit'][-1]:,.0f}, rhiz {rates['rhiz'][-1]:,.0f} events/s", flush=True)
        beside = [_beside(full, scale.sqlite_seconds) for _ in range(scale.rounds)]
    drains = {name: {"runs": runs, "median": median(runs)} for name, runs in rates.items()}
    appends = {"runs": beside, **{p: median(run[p] for run in beside) for p in ("p50", "p99")}}
    return {"drain": drains, "appends beside a busy worker": appends}


def _ours(file: Path) -> Ours:
    return Ours(f"sqlite:///{file}", applied=True)


def _fill(file: Path, events: int) -> None:
    ours = _ours(file)
    ours.prepare()
    output_of(ours.appender("fill", events, RELATIONSHIP, 1), ours.environ())
    # Its lanes are made by a worker's start; the raw limit has none to make them.
    connection = sqlite3.connect(file, isolation_level=None)
    connection.executemany("insert or ignore into events_lane (id) values (?)", [(n,) for n in range(64)])
    connection.execute("pragma wal_checkpoint (truncate)")
    connection.close()


def _copy(full: Path) -> Path:
    """A fresh copy of the full log."""
    for old in full.parent.glob("run.sqlite3*"):
        old.unlink()
    return Path(shutil.copy(full, full.parent / "run.sqlite3"))


def _drain(file: Path, command: Sequence[str], events: int) -> float:
    """Events per second from the first completion to the last; the first batch does not count."""
    with running(command, _ours(file).environ()) as started:
        wait_for_end(started, 30 + events / 50)
    batches = _rows(file, FINISHED)
    if sum(count for _, count in batches) != events:
        raise BenchmarkError(f"{command!r} did not complete all events")
    first, last = (datetime.fromisoformat(moment) for moment in (batches[0][0], batches[-1][0]))
    return (events - int(batches[0][1])) / (last - first).total_seconds()


def _beside(full: Path, seconds: float) -> dict[str, float]:
    """How long single appends take while a worker works off a deep log."""
    file = _copy(full)
    ours = _ours(file)
    deep = int(_rows(file, "select max(id) from events_event")[0][0])
    command = ours.appender("singles", seconds, APPEND_PAUSE)
    with running(command, ours.environ(), stdout=subprocess.PIPE) as [appender]:
        wait_until(lambda: _rows(file, "select max(id) from events_event")[0][0] > deep, 30, "the first append")
        with running(ours.follow_command(), ours.environ()):
            output, _ = appender.communicate(timeout=seconds + 60)
    query = f"select min(finished_at), max(finished_at) from events_event where state = 1 and id <= {deep}"
    busy_from, busy_to = (datetime.fromisoformat(f"{moment}+00:00").timestamp() for moment in _rows(file, query)[0])
    run = latencies([took for began, took in json.loads(output) if busy_from <= began <= busy_to])
    print(f"  {run['count']} appends beside a busy worker: p50 {run['p50']} ms, p99 {run['p99']} ms", flush=True)
    return {**run, "busy seconds": round(busy_to - busy_from, 2)}


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file, timeout=20)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
