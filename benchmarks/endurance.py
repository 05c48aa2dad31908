"""A no-op drain sustained for minutes, with vacuum, checkpoints and a growing log; the queue never runs empty.

One worker process drains while generated events are appended beside it, so that the queue keeps its depth. The
appenders run from the start: the first seconds have the same load as the rest. A no-op drain is the fastest there is,
so it leaves the most dead rows in the pending table; and nothing but the log grows meanwhile.
"""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import psycopg

from benchmarks.figures import median
from benchmarks.generated import Generator
from benchmarks.ours import Ours
from benchmarks.processes import BenchmarkError, running, wait_until
from benchmarks.scale import Scale
from benchmarks.server import Server, execute, row

DEPTH = 300_000  # pending events
CHUNK = 5_000  # events of one append
APPENDERS = 3  # more than are needed: with fewer, the drain's processes get most of two cores and empty the queue
RAMP = 2.0  # seconds after the first completion that do not count
FIRST = 10.0  # seconds whose rate the rest is compared with
MINUTE = 60.0
TALLY = "select extract(epoch from clock_timestamp()), coalesce(sum(processed), 0) from events_tally"
STATE = """select pg_table_size('events_pending'), pg_indexes_size('events_pending'), autovacuum_count
    from pg_stat_user_tables where relname = 'events_pending'"""


class Supply:
    """Threads that append whenever the queue has less than its depth."""

    def __init__(self, url: str, depth: int) -> None:
        self.depth = depth
        self.processed = 0  # as the tally said last
        self.lowest = depth
        self._generators = [Generator(url) for _ in range(APPENDERS)]
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(each,), daemon=True) for each in self._generators]

    def start(self) -> None:
        while self.pending < self.depth:
            self._generators[0].append(CHUNK)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread, generator in zip(self._threads, self._generators, strict=True):
            if thread.is_alive():
                thread.join()
            generator.close()

    @property
    def pending(self) -> int:
        return sum(generator.appended for generator in self._generators) - self.processed

    def _run(self, generator: Generator) -> None:
        while not self._stopping.is_set():
            self.processed = _tally(generator.connection)[1]
            self.lowest = min(self.lowest, self.pending)
            if self.pending < self.depth:
                generator.append(CHUNK)
            else:
                self._stopping.wait(0.01)


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Events per second of the first 10 s, of each minute, and of the second half; medians over the rounds."""
    ours = Ours(server.database("bench_endurance"), applied=False)
    ours.prepare()
    runs = []
    for _ in range(scale.rounds):
        run = _sustain(server, ours, scale.endurance_seconds)
        runs.append(run)
        print(f"  first 10 s {run['first 10 s']:,}, second half {run['second half']:,} events/s", flush=True)
    server.drop("bench_endurance")
    figures = ("first 10 s", "second half", "lowest minute", "share")
    return {"seconds": scale.endurance_seconds, "runs": runs, **{f: median(run[f] for run in runs) for f in figures}}


def _sustain(server: Server, ours: Ours, seconds: float) -> dict[str, Any]:
    ours.empty()
    *_, vacuumed = row(ours.url, STATE)
    supply = Supply(ours.url, DEPTH)
    try:
        supply.start()
        execute(ours.url, "analyze events_event", "analyze events_pending")
        server.checkpoint()
        with running(ours.follow_command(), ours.environ()), psycopg.connect(ours.url, autocommit=True) as connection:
            wait_until(lambda: _tally(connection)[1] > 0, 30, "the first completion")
            time.sleep(RAMP)
            samples = _sample(connection, supply, seconds)
    finally:
        supply.stop()
    table, indexes, vacuums = row(ours.url, STATE)
    minutes = _rates(samples, MINUTE)
    first, half = _rates(samples, FIRST)[0], _rate(samples, seconds / 2, seconds)
    return {
        "first 10 s": first,
        "minutes": minutes,
        "lowest minute": min(minutes),
        "second half": half,
        "share": round(half / first, 3),
        "lowest depth": supply.lowest,
        "pending table MB": round(table / 2**20, 1),
        "pending indexes MB": round(indexes / 2**20, 1),
        "autovacuums": int(vacuums - vacuumed),
    }


def _sample(connection: psycopg.Connection, supply: Supply, seconds: float) -> list[tuple[float, int]]:
    """(seconds since the beginning, events done), every 0.2 s. Raises BenchmarkError if the queue runs empty."""
    start, base = _tally(connection)
    samples = [(0.0, 0)]
    while samples[-1][0] < seconds:
        time.sleep(0.2)
        now, processed = _tally(connection)
        if supply.lowest < CHUNK:
            raise BenchmarkError("the queue ran empty: the drain is faster than the appends beside it")
        samples.append((now - start, processed - base))
        if int(now - start) // 60 > int(samples[-2][0]) // 60:
            print(f"  minute {int(now - start) // 60}: {_rate(samples, now - start - 60, now - start):,}", flush=True)
    return samples


def _rates(samples: list[tuple[float, int]], width: float) -> list[int]:
    """Events per second of each full window of `width` seconds; of the whole where none is full."""
    end = samples[-1][0]
    edges = [n * width for n in range(int(end // width) + 1)] if end >= width else [0.0, end]
    return [_rate(samples, low, high) for low, high in pairwise(edges)]


def _rate(samples: list[tuple[float, int]], low: float, high: float) -> int:
    """Events per second between two moments, as the samples nearest to them tell."""
    (begun, before), (ended, after) = (
        min(samples, key=lambda sample: abs(sample[0] - moment)) for moment in (low, high)
    )
    return round((after - before) / (ended - begun))


def _tally(connection: psycopg.Connection) -> tuple[float, int]:
    """The server's clock, and how many events were done so far."""
    found = connection.execute(TALLY).fetchone()
    assert found
    return float(found[0]), int(found[1])
