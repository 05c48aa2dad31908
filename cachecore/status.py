"""How the cache is, for people and monitors: read from this process's memory, so that asking never waits for Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.core.cache import caches

from cachecore import statistics
from cachecore.backend import CacheBackend
from cachecore.location import Away, Location
from cachecore.trust import Trusted

MEGABYTE = 1_000_000


def read(alias: str = "default") -> dict[str, Any]:
    """Mode, breaker, sizes and counters of an alias's LOCATION.

    Counters are of all processes while Redis is trusted (`scope` is then `all`), else of this one. `total_keys` and
    `memory_mb` are Redis's own, or those of local memory. `journal_length` is None where nobody reads it.
    """
    backend = caches[alias]
    if not isinstance(backend, CacheBackend):
        return {"mode": "unknown", "backend": type(backend).__name__}
    return of(backend.location)


def of(location: Location) -> dict[str, Any]:
    """The figures of one location in this process."""
    mode = location.known_mode
    keys, size, counts = 0, 0, Counter(location.counts.totals())
    if isinstance(mode, Trusted):
        keys, size = location.seen.get("keys", 0), location.seen.get("memory", 0)
        counts = _merged(location.seen.get("counts", {})) + Counter(location.counts.unpublished())
    elif isinstance(mode, Away):
        keys, size = mode.memory.size()
    return {
        "backend": "memory" if location.lasting else "redis",
        "mode": "redis" if isinstance(mode, Trusted) else "memory",
        "scope": "all" if isinstance(mode, Trusted) else "process",
        "breaker": location.breaker.told() if not location.lasting else None,
        "total_keys": keys,
        "memory_mb": round(size / MEGABYTE, 3),
        "journal_length": location.seen.get("journal_length"),
        "epoch": mode.epoch if isinstance(mode, Trusted) else None,
        **statistics.told(counts),
    }


def _merged(fields: Mapping[bytes, bytes]) -> Counter[tuple[str, str]]:
    """The counters in Redis: fields `kind namespace`. What is not of this form was written by someone else."""
    counts: Counter[tuple[str, str]] = Counter()
    for field, number in fields.items():
        kind, _, name = field.decode("utf-8", "replace").partition(" ")
        if kind in statistics.KINDS and number.isdigit():
            counts[name, kind] += int(number)
    return counts
