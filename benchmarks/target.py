"""A target: a figure computed from the measurements, and its bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure computed from the measurements; `source` names the measurements."""

    source: str
    compute: Callable[[Figures], float]

    def __truediv__(self, other: Figure) -> Figure:
        return Figure(f"{self.source} : {other.source}", lambda found: self.compute(found) / other.compute(found))

    def __sub__(self, other: Figure) -> Figure:
        return Figure(f"{self.source} - {other.source}", lambda found: self.compute(found) - other.compute(found))


def at(*path: str | int) -> Figure:
    """The measurement at this path of the figures."""

    def compute(figures: Figures) -> float:
        found: Any = figures
        for name in path:
            found = found[str(name)]
        return float(found)

    return Figure(" / ".join(map(str, path)), compute)


def higher(one: Figure, other: Figure) -> Figure:
    """The higher of two."""
    return Figure(f"max({one.source}, {other.source})", lambda found: max(one.compute(found), other.compute(found)))


def lower(one: Figure, other: Figure) -> Figure:
    """The lower of two."""
    return Figure(f"min({one.source}, {other.source})", lambda found: min(one.compute(found), other.compute(found)))


def constant(value: float) -> Figure:
    return Figure(f"{value:g}", lambda found: value)


@dataclass(frozen=True)
class Target:
    """A figure and its bound; `aspired` is what was hoped for beyond it."""

    name: str
    figure: Figure
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""
    aspired: float | None = None

    def verdict(self, figures: Figures) -> dict[str, object] | None:
        """The figure and whether it meets the target; None if its part was not measured."""
        try:
            value = self.figure.compute(figures)
        except KeyError:
            return None
        met = (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)
        bound = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        aspired = f", aspired {self.aspired:g}" if self.aspired is not None else ""
        return {
            "target": self.name,
            "value": round(value, 3),
            "bound": f"{bound}{self.unit}{aspired}",
            "met": met,
            "source": self.figure.source,
        }
