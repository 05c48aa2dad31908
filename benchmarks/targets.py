"""What the figures are held against."""

from __future__ import annotations

from benchmarks.target import Figure, Figures, Target, at, constant, higher, lower

NOOP, RELATIONSHIPS = "rhiz, no-op", "rhiz, relationships"
RAW_NOOP, RAW_RELATIONSHIPS = "raw limit, no-op", "raw limit, relationships"
PGQUEUER = "PgQueuer, no-op"
DRAINED, SLOW = f"drain, {RELATIONSHIPS}", f"100/s, {RELATIONSHIPS}"
RATES = (500, 2_000)
SINGLES, BATCHES, BUSY = "32 connections", "batches of 500", "beside a busy worker"


def drained(name: str, processes: int) -> Figure:
    """Events a second of a contestant's drain."""
    return at("drain", "rates", name, processes, "median")


def beside(name: str, other: str, processes: int) -> Figure:
    """One contestant's drain as a multiple of another's, with as many processes each."""
    return drained(name, processes) / drained(other, processes)


def taken_in(part: str, name: str, figure: str = "rate") -> Figure:
    """A figure of the intake: events a second, or a latency in milliseconds."""
    return at("intake", part, name, figure)


def share_of_batches_aim(part: str, name: str) -> Figure:
    """Of 15,000 events a second, or of half of what COPY does if that is less."""
    half = taken_in(BATCHES, "COPY") / constant(2)
    return taken_in(part, name) / lower(constant(15_000), half)


def cache_times(part: str, name: str, peer: str) -> Figure:
    """The time of a call of our cache as a multiple of a peer's."""
    return at("cache", part, name, "rhiz") / at("cache", part, name, peer)


def invalidated(size: int, way: str) -> Figure:
    """Milliseconds to invalidate one person's keys among `size`."""
    return at("cache", "invalidation", size, way)


def growth(name: str) -> Figure:
    """Peak memory with many events, as a multiple of that with few."""

    def compute(figures: Figures) -> float:
        few, many = (found["peak MB"] for found in figures["memory"][name].values())
        return float(many / few)

    return Figure(f"memory / {name}", compute)


DRAIN = [
    Target("no-op, 2 processes: times PgQueuer", beside(NOOP, PGQUEUER, 2), at_least=2.5, aspired=3.0),
    Target("relationships, 1 process: times PgQueuer's no-op", beside(RELATIONSHIPS, PGQUEUER, 1), at_least=1.25),
    Target(
        "relationships, 2 processes: times PgQueuer's no-op",
        beside(RELATIONSHIPS, PGQUEUER, 2),
        at_least=1.4,
        aspired=1.6,
    ),
    Target("no-op, 2 processes: share of the raw limit", beside(NOOP, RAW_NOOP, 2), at_least=0.55),
    Target(
        "relationships, 2 processes: share of the raw limit",
        beside(RELATIONSHIPS, RAW_RELATIONSHIPS, 2),
        at_least=0.55,
    ),
    Target(
        "drain with 5 million done events: share of that of an empty log",
        at("history", "drain", "full", "median") / at("history", "drain", "empty", "median"),
        at_least=0.95,
    ),
    Target(
        "sustained drain: share of the rate of its first 10 s",
        at("endurance", "share"),
        at_least=0.85,
    ),
]
COST = [
    Target(f"{figure}, {name}", at("wal", part, key), at_most=bound, unit=" B")
    for part, name in ((DRAINED, "drain"), (SLOW, "100/s"))
    for key, figure, bound in (
        ("WAL B, apply", "WAL of an applied event", 1_250.0),
        ("disk B", "disk of the log per event", 650.0),
    )
]
LATENCY = [
    *(
        Target(
            f"append to applied, p99 at {rate}/s: times the raw limit's",
            at("latency", rate, "rhiz", "p99") / at("latency", rate, "raw limit", "p99"),
            at_most=3.0,
        )
        for rate in RATES
    ),
    *(
        Target(f"end to end, {name}: {what}", at("endtoend", name, key), at_least=least, at_most=most, unit=unit)
        for name in ("32 connections", "256 connections")
        for what, key, least, most, unit in (
            ("POSTs held, of 7,000/s", "rate", 6_900.0, None, "/s"),
            ("p99 from sending to applied", "p99", None, 30.0, " ms"),
        )
    ),
]
SQLITE = [
    Target(
        "SQLite, relationships: times the reference",
        at("sqlite", "drain", "rhiz", "rate") / at("sqlite", "drain", "before", "rate"),
        at_least=1.4,
    ),
    Target(
        "SQLite, file per event: times the reference's",
        at("sqlite", "drain", "rhiz", "file B") / at("sqlite", "drain", "before", "file B"),
        at_most=1.0,
    ),
    Target(
        "SQLite, p99 of appends beside a busy worker",
        at("sqlite", "appends beside a busy worker", "p99"),
        at_most=40.0,
        unit=" ms",
    ),
]
INTAKE = [
    Target(
        "intake, 32 connections: times FastAPI in memory",
        taken_in(SINGLES, "rhiz") / taken_in(SINGLES, "FastAPI, in memory"),
        at_least=1.7,
    ),
    Target(
        "intake, 32 connections: times a DRF view with one INSERT",
        taken_in(SINGLES, "rhiz") / taken_in(SINGLES, "DRF, one INSERT"),
        at_least=15.0,
    ),
    Target(
        "intake, 32 connections: p99 as a share of 40 ms or FastAPI's",
        taken_in(SINGLES, "rhiz", "p99") / higher(constant(40), taken_in(SINGLES, "FastAPI, in memory", "p99")),
        at_most=1.0,
    ),
    Target(
        "intake, batches of 500: share of 15,000/s or half of COPY",
        share_of_batches_aim(BATCHES, "rhiz"),
        at_least=1.0,
    ),
    Target(
        "intake beside a busy worker, 32 connections: times FastAPI",
        taken_in(BUSY, SINGLES) / taken_in(SINGLES, "FastAPI, in memory"),
        at_least=0.85,
    ),
    Target(
        "intake beside a busy worker, batches of 500: share of the same",
        share_of_batches_aim(BUSY, BATCHES),
        at_least=0.5,
    ),
]
MEMORY = [
    Target(f"{name}, peak memory for many events: times that for few", growth(name), at_most=1.2)
    for name in ("replay", "worker")
]
CALLS = (("small", "get, small"), ("10 kB", "get, 10 kB"), ("small, tagged", "get under a tag, small"))
CACHE = [
    *(
        Target(
            f"cache, hit of a {size} value: times raw django-redis",
            cache_times("calls", name, "django-redis"),
            at_most=1.25,
        )
        for size, name in CALLS
    ),
    *(
        Target(
            f"cache, {name} with the breaker open: times LocMemCache",
            cache_times("breaker open", name, "LocMemCache"),
            at_most=1.5,
        )
        for name in ("get", "set")
    ),
    Target(
        "cache, 1,000 calls on a Redis that hangs: above the same in memory",
        at("cache", "hung", "ms") - at("cache", "hung", "ms in local memory"),
        at_most=300.0,
        unit=" ms",
    ),
    Target(
        "cache, by tag at 100,000 keys: times faster than delete_pattern",
        invalidated(100_000, "delete_pattern") / invalidated(100_000, "by tag, in Redis"),
        at_least=1_000.0,
    ),
    Target(
        "cache, by tag at 1,000,000 keys: times the time at 1,000",
        invalidated(1_000_000, "by tag, in Redis") / invalidated(1_000, "by tag, in Redis"),
        at_most=1.5,
    ),
]
TARGETS = [*DRAIN, *COST, *LATENCY, *SQLITE, *INTAKE, *MEMORY, *CACHE]
