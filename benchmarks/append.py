"""Appending in batches of 1,000, one process: `events.append` and the raw statement."""

from __future__ import annotations

import json
import time
from typing import Any

import psycopg

from benchmarks import workload
from benchmarks.figures import median
from benchmarks.ours import Ours
from benchmarks.processes import output_of
from benchmarks.raw_limit import APPEND, RawLimit, document
from benchmarks.scale import Scale
from benchmarks.server import Server

BATCH = 1_000


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Events per second of both, by rounds in turn."""
    raw = RawLimit(server.database("bench_raw"), applied=False)
    ours = Ours(server.database("bench_ours"), applied=True)
    ours.prepare()
    made = list(workload.events(scale.append))
    documents = [document(made[start : start + BATCH]) for start in range(0, scale.append, BATCH)]
    rates: dict[str, list[float]] = {"raw limit": [], "rhiz": []}
    for _ in range(scale.rounds):
        raw.empty()
        server.checkpoint()
        rates["raw limit"].append(scale.append / _append_raw(raw.url, documents))
        ours.empty()
        server.checkpoint()
        timed = json.loads(output_of(ours.appender("fill", scale.append, ours.event_type, 1), ours.environ()))
        rates["rhiz"].append(timed["events"] / timed["seconds"])
    return {name: {"runs": runs, "median": median(runs)} for name, runs in rates.items()}


def _append_raw(url: str, documents: list[str]) -> float:
    """The seconds that appending takes."""
    with psycopg.connect(url, autocommit=True) as connection:
        start = time.perf_counter()
        for text in documents:
            connection.execute(APPEND, (text,)).fetchall()
        return time.perf_counter() - start
