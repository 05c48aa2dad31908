"""What the figures are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A figure computed from the measurements, and its bound."""

    name: str
    figure: Callable[[Figures], float]
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    def verdict(self, figures: Figures) -> dict[str, object] | None:
        """The figure and whether it meets the target; None if its part was not measured."""
        try:
            value = self.figure(figures)
        except KeyError:
            return None
        met = (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)
        bound = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        return {"target": self.name, "value": round(value, 3), "bound": f"{bound}{self.unit}", "met": met}


def drained(name: str, processes: int) -> Callable[[Figures], float]:
    return lambda figures: figures["drain"]["rates"][name][str(processes)]["median"]


def ratio(one: Callable[[Figures], float], other: Callable[[Figures], float]) -> Callable[[Figures], float]:
    return lambda figures: one(figures) / other(figures)


def latency(rate: int, name: str, which: str) -> Callable[[Figures], float]:
    return lambda figures: figures["latency"][str(rate)][name][which]


def growth(name: str) -> Callable[[Figures], float]:
    """Peak memory with many events, as a multiple of that with few."""

    def figure(figures: Figures) -> float:
        few, many = (found["peak MB"] for found in figures["memory"][name].values())
        return float(many / few)

    return figure


def cache(*path: str) -> Callable[[Figures], float]:
    """A figure of the cache's part."""

    def figure(figures: Figures) -> float:
        found = figures["cache"]
        for name in path:
            found = found[name]
        return float(found)

    return figure


def beside(part: str, name: str, peer: str) -> Callable[[Figures], float]:
    """Our time for a call as a multiple of a peer's."""
    return ratio(cache(part, name, "rhiz"), cache(part, name, peer))


def invalidated(size: int, way: str) -> Callable[[Figures], float]:
    """Milliseconds to invalidate one person's keys among `size`."""
    return cache("invalidation", str(size), way)


def taken_in(part: str, name: str, figure: str = "rate") -> Callable[[Figures], float]:
    """A figure of the intake: events a second, or a latency in milliseconds."""
    return lambda figures: float(figures["intake"][part][name][figure])


def share_of_batches_aim(part: str, name: str) -> Callable[[Figures], float]:
    """Of 15,000 events a second, or of half of what COPY does if that is less."""
    rate, copied = taken_in(part, name), taken_in("batches of 500", "COPY")
    return lambda figures: rate(figures) / min(15_000.0, 0.5 * copied(figures))


SINGLES = "32 connections"
IN_MEMORY, ONE_INSERT = "FastAPI, in memory", "DRF, one INSERT"

NOOP, RELATIONSHIPS = "rhiz, no-op", "rhiz, relationships"
RAW_NOOP, RAW_RELATIONSHIPS = "raw limit, no-op", "raw limit, relationships"

PGQUEUER = "PgQueuer, no-op"


def held(numerator: str, denominator: str, processes: int) -> Callable[[Figures], float]:
    """One contestant's drain as a multiple of another's, with as many processes each."""
    return ratio(drained(numerator, processes), drained(denominator, processes))


TARGETS = [
    Target("no-op, 2 processes: times PgQueuer", held(NOOP, PGQUEUER, 2), at_least=3.0),
    Target("no-op, 2 processes: share of the raw limit", held(NOOP, RAW_NOOP, 2), at_least=0.7),
    Target("relationships, 1 process: times PgQueuer's no-op", held(RELATIONSHIPS, PGQUEUER, 1), at_least=1.2),
    Target("relationships, 2 processes: times PgQueuer's no-op", held(RELATIONSHIPS, PGQUEUER, 2), at_least=2.0),
    *(
        Target(
            f"{which} at {rate}/s: times the raw limit's",
            ratio(latency(rate, "rhiz", which), latency(rate, "raw limit", which)),
            at_most=3.0,
        )
        for rate in (500, 2_000)
        for which in ("p50", "p99")
    ),
    Target(
        "intake, 32 connections: times FastAPI in memory",
        ratio(taken_in(SINGLES, "rhiz"), taken_in(SINGLES, IN_MEMORY)),
        at_least=1.7,
    ),
    Target(
        "intake, 32 connections: times a DRF view with one INSERT",
        ratio(taken_in(SINGLES, "rhiz"), taken_in(SINGLES, ONE_INSERT)),
        at_least=15.0,
    ),
    Target(
        "intake, 32 connections: p99 as a share of 40 ms or FastAPI's",
        lambda figures: (
            taken_in(SINGLES, "rhiz", "p99")(figures) / max(40.0, taken_in(SINGLES, IN_MEMORY, "p99")(figures))
        ),
        at_most=1.0,
    ),
    Target(
        "intake, batches of 500: share of 15,000/s or half of COPY",
        share_of_batches_aim("batches of 500", "rhiz"),
        at_least=1.0,
    ),
    Target(
        "intake beside a busy worker, 32 connections: times FastAPI",
        ratio(taken_in("beside a busy worker", SINGLES), taken_in(SINGLES, IN_MEMORY)),
        at_least=0.85,
    ),
    Target(
        "intake beside a busy worker, batches of 500: share of the same",
        share_of_batches_aim("beside a busy worker", "batches of 500"),
        at_least=0.5,
    ),
    Target(
        "claims with 5 million done events: speed, as a share of that with none",
        lambda figures: (
            figures["history"]["claim ms"]["empty"]["median"] / figures["history"]["claim ms"]["full"]["median"]
        ),
        at_least=0.9,
    ),
    Target(
        "SQLite, relationships: share of the raw limit",
        lambda figures: (
            figures["sqlite"]["drain"]["rhiz"]["median"] / figures["sqlite"]["drain"]["raw limit"]["median"]
        ),
        at_least=0.5,
    ),
    Target(
        "SQLite, p99 of appends beside a busy worker",
        lambda figures: figures["sqlite"]["appends beside a busy worker"]["p99"],
        at_most=100.0,
        unit=" ms",
    ),
    Target("replay, peak memory for many events: times that for few", growth("replay"), at_most=1.2),
    Target("worker, peak memory for many events: times that for few", growth("worker"), at_most=1.2),
    *(
        Target(
            f"cache, hit of a {size} value: times raw django-redis", beside("calls", name, "django-redis"), at_most=1.25
        )
        for size, name in (
            ("small", "get, small"),
            ("10 kB", "get, 10 kB"),
            ("small, tagged", "get under a tag, small"),
        )
    ),
    *(
        Target(
            f"cache, {name} with the breaker open: times LocMemCache",
            beside("breaker open", name, "LocMemCache"),
            at_most=1.5,
        )
        for name in ("get", "set")
    ),
    Target(
        "cache, 1,000 calls on a Redis that hangs: above the same in memory",
        lambda figures: figures["cache"]["hung"]["ms"] - figures["cache"]["hung"]["ms in local memory"],
        at_most=300.0,
        unit=" ms",
    ),
    Target(
        "cache, by tag at 100,000 keys: times faster than delete_pattern",
        ratio(invalidated(100_000, "delete_pattern"), invalidated(100_000, "by tag, in Redis")),
        at_least=1_000.0,
    ),
    Target(
        "cache, by tag at 1,000,000 keys: times the time at 1,000",
        ratio(invalidated(1_000_000, "by tag, in Redis"), invalidated(1_000, "by tag, in Redis")),
        at_most=1.5,
    ),
]
