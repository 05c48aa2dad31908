"""From append to applied, at a steady rate: one worker process, one appender process, relationships applied."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from benchmarks.figures import latencies, median
from benchmarks.ours import Ours
from benchmarks.processes import output_of, running, wait_until
from benchmarks.raw_limit import RawLimit
from benchmarks.scale import Scale
from benchmarks.server import Server, row

RATES = (500, 2_000)  # events per second
SETTLING = 1.5  # seconds after a worker's start
WARM_UP = 1.0  # seconds of appending that do not count


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """p50, p95 and p99 in milliseconds by rate, of both in turn in each round; medians over the rounds."""
    raw = RawLimit(server.database("bench_raw"), applied=True)
    ours = Ours(server.database("bench_ours"), applied=True)
    ours.prepare()
    figures: dict[str, Any] = {}
    for rate in RATES:
        runs: dict[str, list[dict[str, float]]] = {"raw limit": [], "rhiz": []}
        for _ in range(scale.rounds):
            for name, contestant in (("raw limit", raw), ("rhiz", ours)):
                run = _follow(server, contestant, rate, scale.latency_seconds)
                runs[name].append(run)
                print(f"  {rate}/s, {name}: p50 {run['p50']} ms, p99 {run['p99']} ms", flush=True)
        figures[str(rate)] = {
            name: {"runs": many, **{p: median(run[p] for run in many) for p in ("p50", "p95", "p99")}}
            for name, many in runs.items()
        }
    return figures


def _follow(server: Server, contestant: RawLimit | Ours, rate: int, seconds: float) -> dict[str, float]:
    contestant.empty()
    server.checkpoint()
    expected = int(rate * seconds)
    with running(contestant.follow_command(), contestant.environ()):
        wait_until(lambda: sessions(contestant.url) > 0, 30, "the worker's connection")
        time.sleep(SETTLING)
        output_of(contestant.pace_command(rate, seconds), contestant.environ())
        wait_until(lambda: row(contestant.url, contestant.finished)[0] >= expected, 30, "everything applied")
    with psycopg.connect(contestant.url) as connection:
        rows = connection.execute(contestant.latency).fetchall()
    begun = min(received for _, received in rows)
    return latencies([float(took) for took, received in rows if (received - begun).total_seconds() > WARM_UP])


def sessions(url: str) -> int:
    """How many other sessions its database has."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    return int(row(url, query)[0])
