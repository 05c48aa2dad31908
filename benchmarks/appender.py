"""A process that appends to this project's log as its users do, by `events.append`.

    python -m benchmarks.appender fill COUNT EVENT_TYPE SEED       batches of 1,000; prints the seconds of appending
    python -m benchmarks.appender pace RATE SECONDS                what is due, every 4 ms
    python -m benchmarks.appender singles SECONDS PAUSE            one by one; prints when each began, and its seconds

Events are made and parsed beforehand: what is timed is the append.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import django

from benchmarks import workload
from benchmarks.pacing import pace

BATCH = 1_000


def fill(count: int, event_type: str, seed: int) -> None:
    events = _parsed(count, event_type, seed)
    seconds = 0.0
    for start in range(0, count, BATCH):
        seconds += _append_timed(events[start : start + BATCH])
    print(json.dumps({"events": count, "seconds": seconds}))


def append_paced(rate: float, seconds: float) -> None:
    import events

    pace(events.append, _parsed(int(rate * seconds), workload.RELATIONSHIP, 2), rate)


def singles(seconds: float, pause: float) -> None:
    events = iter(_parsed(int(seconds / pause) + 1, workload.RELATIONSHIP, 3))
    deadline = time.monotonic() + seconds
    took = []
    while time.monotonic() < deadline:
        took.append((time.time(), _append_timed([next(events)])))
        time.sleep(pause)
    print(json.dumps(took))


def _parsed(count: int, event_type: str, seed: int) -> list[Any]:
    from events.envelope import parse

    return [parse(line) for line in workload.lines(count, event_type, seed)]


def _append_timed(batch: list[Any]) -> float:
    import events

    start = time.perf_counter()
    events.append(batch)
    return time.perf_counter() - start


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    elif sys.argv[1] == "pace":
        append_paced(float(sys.argv[2]), float(sys.argv[3]))
    else:
        singles(float(sys.argv[2]), float(sys.argv[3]))
