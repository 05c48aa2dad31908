"""Counters of what the cache did, by namespace: the first segment of a key."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from threading import Lock
from typing import Any

NAMESPACES = 64  # that are told apart; keys made of user input must not make counters without end
OTHER = "other"  # the namespace of the rest, and of keys without segments

HITS, MISSES, STALE, SETS, DELETES = "hits", "misses", "stale", "sets", "deletes"
INVALIDATIONS, ERRORS = "invalidations", "errors"
KINDS = (HITS, MISSES, STALE, SETS, DELETES, INVALIDATIONS, ERRORS)


class Counts:
    """This process's counters at one LOCATION; they only grow."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._totals: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._published: Counter[tuple[str, str]] = Counter()
        self._names: dict[str, str] = {}

    def add(self, key: str, kind: str, number: int = 1) -> None:
        """Count `number` of `kind` for the namespace of `key`."""
        first, colon, _ = key.partition(":")
        name = (self._names.get(first) or self._name(first)) if colon else OTHER
        with self._lock:
            self._totals[name, kind] += number

    def totals(self) -> dict[tuple[str, str], int]:
        """All so far, by namespace and kind."""
        with self._lock:
            return dict(self._totals)

    def unpublished(self) -> dict[tuple[str, str], int]:
        """What was counted since the last `published`."""
        with self._lock:
            return dict(Counter(self._totals) - self._published)

    def published(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Note that `counts` have arrived where all processes' are added up."""
        with self._lock:
            self._published.update(counts)

    def _name(self, first: str) -> str:
        if len(self._names) >= NAMESPACES:
            return OTHER
        return self._names.setdefault(first, first)


def told(counts: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """Counters for people: the sums with the hit rate (0-1, None before the first read), and each namespace's."""
    namespaces: dict[str, dict[str, Any]] = {}
    for (name, kind), number in sorted(counts.items()):
        namespaces.setdefault(name, dict.fromkeys(KINDS, 0))[kind] = number
    total = {kind: sum(each[kind] for each in namespaces.values()) for kind in KINDS}
    for each in (total, *namespaces.values()):
        each["hit_rate"] = _rate(each)
    return {**total, "namespaces": namespaces}


def _rate(counts: Mapping[str, int]) -> float | None:
    reads = counts[HITS] + counts[MISSES]
    return round(counts[HITS] / reads, 4) if reads else None
