"""Peak memory of `replay` and of a worker, for few and for many events: it must not grow with their number.

Linux only: the peak is read from /proc.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.ours import Ours
from benchmarks.processes import PYTHON, ROOT, BenchmarkError
from benchmarks.scale import Scale
from benchmarks.server import Server, row

LOOK = 0.05  # seconds between two looks


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Peak resident memory in MB, and events per second, by number of events."""
    figures: dict[str, Any] = {"replay": {}, "worker": {}}
    for events in scale.memory:
        ours = Ours(server.database("bench_memory"), applied=True)
        ours.prepare()
        figures["replay"][str(events)] = _replay(ours, events)
        worker = subprocess.Popen(ours.command(), env=ours.environ(), cwd=ROOT)
        figures["worker"][str(events)] = _watch(worker, events)
        if row(ours.url, ours.finished)[0] != events:
            raise BenchmarkError("the worker did not complete all events")
        for name in ("replay", "worker"):
            found = figures[name][str(events)]
            print(f"  {name}, {events:,} events: {found['peak MB']} MB, {found['events/s']:,} events/s", flush=True)
    server.drop("bench_memory")
    return figures


def _replay(ours: Ours, events: int) -> dict[str, float]:
    """Replay what a generator writes, straight to the log."""
    made = subprocess.Popen(
        [PYTHON, "-m", "benchmarks.workload", str(events), ours.event_type], stdout=subprocess.PIPE, cwd=ROOT
    )
    replay = subprocess.Popen(
        [PYTHON, "manage.py", "replay", "-"],
        stdin=made.stdout,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ours.environ(),
        cwd=ROOT,
    )
    assert made.stdout
    made.stdout.close()
    try:
        return _watch(replay, events)
    finally:
        made.wait()


def _watch(process: subprocess.Popen[bytes], events: int) -> dict[str, float]:
    """Look at a process until it ends. `events/s` is over its whole life, its start included."""
    start = time.perf_counter()
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _peak_of(process.pid))
        time.sleep(LOOK)
    if process.returncode != 0:
        raise BenchmarkError(f"ended with {process.returncode}: {process.args!r}")
    return {"peak MB": round(peak, 1), "events/s": round(events / (time.perf_counter() - start))}


def _peak_of(pid: int) -> float:
    """The largest resident memory of a process so far, in MB; 0 if it has just ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) / 1024 if peaks else 0.0
