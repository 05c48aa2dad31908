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

from benchmarks.before import Before
from benchmarks.figures import latencies, median, medians
from benchmarks.ours import Ours
from benchmarks.processes import PYTHON, BenchmarkError, output_of, running, wait_for_end, wait_until
from benchmarks.scale import Scale
from benchmarks.server import Server
from benchmarks.workload import RELATIONSHIP

FINISHED = "select finished_at, coalesce(json_array_length(ids), 1) from events_batch order by finished_at, last_id"
BUSY = "select min(finished_at), max(finished_at) from events_batch where first_id <= {deep}"
APPEND_PAUSE = 0.005  # seconds between two appends of the process beside the worker

Run = dict[str, float]


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Measure drains and appends beside a worker.

    Drains: events per second from the first completion to the last, and bytes of the file per event afterwards, of all
    contestants in turn in each round. Appends: p50 and p99 in milliseconds.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        full = Path(folder) / "full.sqlite3"
        _fill(full, scale.sqlite)
        before = Before(scale.before, Path(folder) / "before" / full.name, scale.sqlite) if scale.before else None
        runs: dict[str, list[Run]] = {name: [] for name in ("raw limit", "rhiz", *(["before"] if before else []))}
        for _ in range(scale.rounds):
            file = _copy(full)
            rate = _drain(file, [PYTHON, "-m", "benchmarks.raw_sqlite", str(file)], scale.sqlite)
            _note(runs, "raw limit", rate, file, scale.sqlite)
            file = _copy(full)
            rate = _drain(file, _ours(file).command(), scale.sqlite)
            _note(runs, "rhiz", rate, file, scale.sqlite)
            if before:
                _note(runs, "before", before.drain(), before.drained, scale.sqlite)
        beside = [_beside(full, scale.sqlite_seconds) for _ in range(scale.rounds)]
    drains = {name: {"runs": many, **medians(many)} for name, many in runs.items()}
    appends = {"runs": beside, **{p: median(run[p] for run in beside) for p in ("p50", "p99")}}
    return {"drain": drains, "appends beside a busy worker": appends}


# Also called by name from newer checkouts, see before.py: _ours, _fill, _copy, _drain.
def _ours(file: Path) -> Ours:
    return Ours(f"sqlite:///{file}", applied=True)


def _fill(file: Path, events: int) -> None:
    ours = _ours(file)
    ours.prepare()
    output_of(ours.appender("fill", events, RELATIONSHIP, 1), ours.environ())
    _bytes(file)


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


def _note(runs: dict[str, list[Run]], name: str, rate: float, file: Path, events: int) -> None:
    size = _bytes(file)
    _rows(file, "vacuum")
    run = {"rate": rate, "file B": size / events, "file B, vacuumed": _bytes(file) / events}
    runs[name].append(run)
    print(f"  {name}: {', '.join(f'{key} {value:,.0f}' for key, value in run.items())}", flush=True)


def _beside(full: Path, seconds: float) -> Run:
    """How long single appends take while a worker drains a deep log."""
    file = _copy(full)
    ours = _ours(file)
    deep = int(_rows(file, "select max(id) from events_event")[0][0])
    command = ours.appender("singles", seconds, APPEND_PAUSE)
    with running(command, ours.environ(), stdout=subprocess.PIPE) as [appender]:
        wait_until(lambda: _rows(file, "select max(id) from events_event")[0][0] > deep, 30, "the first append")
        with running(ours.follow_command(), ours.environ()):
            output, _ = appender.communicate(timeout=seconds + 60)
    moments = _rows(file, BUSY.format(deep=deep))[0]
    busy_from, busy_to = (datetime.fromisoformat(f"{moment}+00:00").timestamp() for moment in moments)
    run = latencies([took for began, took in json.loads(output) if busy_from <= began <= busy_to])
    print(f"  {run['count']} appends beside a busy worker: p50 {run['p50']} ms, p99 {run['p99']} ms", flush=True)
    return {**run, "busy seconds": round(busy_to - busy_from, 2)}


def _bytes(file: Path) -> int:
    """The size of the file with everything that its WAL holds."""
    _rows(file, "pragma wal_checkpoint (truncate)")
    return file.stat().st_size


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file, timeout=20, isolation_level=None)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
