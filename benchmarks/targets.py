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


NOOP, RELATIONSHIPS = "rhiz, no-op", "rhiz, relationships"
RAW_NOOP, RAW_RELATIONSHIPS = "raw limit, no-op", "raw limit, relationships"

TARGETS = [
    Target(
        "append, share of the raw limit",
        lambda figures: figures["append"]["rhiz"]["median"] / figures["append"]["raw limit"]["median"],
        at_least=0.5,
    ),
    *(
        target
        for n in (1, 2)
        for target in (
            Target(f"no-op, {n}: share of the raw limit", ratio(drained(NOOP, n), drained(RAW_NOOP, n)), at_least=0.7),
            Target(
                f"relationships, {n}: share of the raw limit",
                ratio(drained(RELATIONSHIPS, n), drained(RAW_RELATIONSHIPS, n)),
                at_least=0.7,
            ),
            Target(f"no-op, {n}: times PgQueuer", ratio(drained(NOOP, n), drained("PgQueuer, no-op", n)), at_least=2.0),
            Target(
                f"no-op, {n}: times Procrastinate",
                ratio(drained(NOOP, n), drained("Procrastinate, no-op", n)),
                at_least=20.0,
            ),
        )
    ),
    Target("relationships, 1: events/s", drained(RELATIONSHIPS, 1), at_least=1_000),
    *(
        target
        for rate in (500, 2_000)
        for target in (
            Target(f"p99 at {rate}/s", latency(rate, "rhiz", "p99"), at_most=20.0, unit=" ms"),
            Target(
                f"p50 at {rate}/s: times the raw limit",
                ratio(latency(rate, "rhiz", "p50"), latency(rate, "raw limit", "p50")),
                at_most=2.0,
            ),
        )
    ),
    Target(
        "a claim from a full log: times one from an empty log",
        lambda figures: (
            figures["history"]["claim ms"]["full"]["median"] / figures["history"]["claim ms"]["empty"]["median"]
        ),
        at_most=1.2,
    ),
    Target(
        "no-op drain of a full log: share of that of an empty one",
        lambda figures: figures["history"]["drain"]["full"]["median"] / figures["history"]["drain"]["empty"]["median"],
        at_least=0.8,
    ),
    Target(
        "SQLite, relationships: share of the raw limit",
        lambda figures: (
            figures["sqlite"]["drain"]["rhiz"]["median"] / figures["sqlite"]["drain"]["raw limit"]["median"]
        ),
        at_least=0.6,
    ),
    Target(
        "SQLite, p99 of appends beside a busy worker",
        lambda figures: figures["sqlite"]["appends beside a busy worker"]["p99"],
        at_most=50.0,
        unit=" ms",
    ),
    Target("replay, memory for many events: times that for few", growth("replay"), at_most=1.2),
    Target("worker, memory for many events: times that for few", growth("worker"), at_most=1.2),
]
