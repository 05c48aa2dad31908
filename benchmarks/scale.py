"""How much is measured: enough for a figure, or just enough to see that everything works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scale:
    """Numbers of events, unless it says otherwise."""

    rounds: int  # of each race; the median counts
    append: int
    drain: int
    drain_pgqueuer: int
    drain_procrastinate: int
    tuning: int  # for a peer's settings, tried out before the race
    latency_seconds: float
    history: int  # done events in the log
    sqlite: int
    sqlite_seconds: float  # of appending, beside a worker that is busy for most of them
    memory: tuple[int, int]
    cache_calls: int  # of each kind and contestant
    cache_keys: tuple[int, ...]  # among which one person's are invalidated
    intake_seconds: float  # of posting by each contestant, after a warm-up
    end_to_end_seconds: float  # of posting at a held rate, after a warm-up
    wal_seconds: float  # of appending at a low rate
    concurrency: int
    endurance_seconds: float
    before: Path | None = None  # a checkout of an older commit, whose SQLite drain is measured beside this one's


FULL = Scale(
    rounds=3,
    append=40_000,
    drain=120_000,
    drain_pgqueuer=20_000,
    drain_procrastinate=1_500,
    tuning=3_000,
    latency_seconds=8.0,
    history=5_000_000,
    sqlite=60_000,
    sqlite_seconds=7.0,
    memory=(10_000, 1_000_000),
    cache_calls=6_000,
    cache_keys=(1_000, 10_000, 100_000, 1_000_000),
    intake_seconds=5.0,
    end_to_end_seconds=20.0,
    wal_seconds=30.0,
    concurrency=60_000,
    endurance_seconds=600.0,
)
QUICK = Scale(
    rounds=1,
    append=4_000,
    drain=6_000,
    drain_pgqueuer=3_000,
    drain_procrastinate=200,
    tuning=500,
    latency_seconds=3.0,
    history=100_000,
    sqlite=6_000,
    sqlite_seconds=2.0,
    memory=(2_000, 20_000),
    cache_calls=600,
    cache_keys=(1_000, 10_000),
    intake_seconds=1.0,
    end_to_end_seconds=3.0,
    wal_seconds=5.0,
    concurrency=6_000,
    endurance_seconds=20.0,
)
