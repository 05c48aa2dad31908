"""What it takes to let nobody be told what was computed for one person, among many keys."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.cache import caches
from redis import Redis

from benchmarks.cache_peers import Cashews
from benchmarks.figures import median
from benchmarks.processes import BenchmarkError
from cachecore import cache
from cachecore.tags import digests

KEYS_PER_PERSON = 10
CHUNK = 100  # people that are filled at once
REPEATS = 20
SLOW = 3  # repeats of what takes seconds
SLOW_FROM = 100_000  # keys


def invalidation(size: int) -> dict[str, float]:
    """Milliseconds to invalidate one person's keys among `size`, by way."""
    names = [f"did:plc:{n}" for n in range(size // KEYS_PER_PERSON)]
    raw: Any = caches["django-redis"]
    cashews = Cashews(settings.CASHEWS_URL)  # type: ignore[misc]  # benchmarks.cache_settings has it
    _fill(names, raw)
    for did in names[:REPEATS]:
        cashews.set_tagged(dict.fromkeys(_keys(did), 1), did)
    location, space = cache.backend.location, cache.backend.space
    ways: dict[str, Callable[[str], Any]] = {
        "by tag, in Redis": lambda did: location.mode.forget((), [(space, one) for one in digests([did])]),
        "by tag, with its journal": lambda did: cache.invalidate([did]),
        "cashews, by tag": cashews.delete_tag,
        "delete_pattern": lambda did: raw.delete_pattern(f"*:{did}:*"),
    }
    figures = {}
    for place, (way, run) in enumerate(ways.items()):
        repeats = SLOW if way == "delete_pattern" and size >= SLOW_FROM else REPEATS
        first = REPEATS if place == 1 else 0  # the second way to remove our own tags needs people of its own
        figures[way] = round(median(_times(run, names[first : first + repeats])) * 1e3, 4)
    print(f"{size:,} keys, ms: {figures}", flush=True)
    return figures


def _fill(names: list[str], raw: Any) -> None:
    """The same keys for us, each under its person's tag, and for django-redis, without tags."""
    Redis.from_url(os.environ["REDIS_URL"]).flushall(asynchronous=True)
    for start in range(0, len(names), CHUNK):
        wanted = {key: [did] for did in names[start : start + CHUNK] for key in _keys(did)}
        cache.get_or_set_many(wanted, lambda missing: dict.fromkeys(missing, 1))
        raw.set_many(dict.fromkeys(wanted, 1), 3_600)
    if cache.backend.mode != "redis":
        raise BenchmarkError("Redis was not trusted all the time")


def _keys(did: str) -> list[str]:
    return [f"graph:{did}:{page}" for page in range(KEYS_PER_PERSON)]


def _times(run: Callable[[str], Any], people: list[str]) -> Iterator[float]:
    for did in people:
        start = time.perf_counter()
        run(did)
        yield time.perf_counter() - start
