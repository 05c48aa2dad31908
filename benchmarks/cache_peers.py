"""Caches that are called alike, in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.figures import median

Run = Callable[[int], None]  # makes so many calls


class Peer:
    """A Django cache."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def set_many(self, values: Mapping[str, Any]) -> None:
        self.cache.set_many(values, 3_600)

    def call(self, name: str, keys: Sequence[str], value: Any) -> Run:
        """What makes calls of this name."""
        cache, key = self.cache, keys[0]
        ways: dict[str, Callable[[], Any]] = {
            "get": lambda: cache.get(key),
            "set": lambda: cache.set(key, value, 3_600),
            "get_many": lambda: cache.get_many(keys),
        }
        once = ways[name]

        def run(count: int) -> None:
            for _ in range(count):
                once()

        return run


class Cashews:
    """Cashews, in an event loop that does nothing else; it signs its values with a secret as we do."""

    def __init__(self, url: str) -> None:
        from cashews import Cache

        self.loop = asyncio.new_event_loop()
        self.cache = Cache()
        self.cache.setup(url, secret="benchmark")
        self.loop.run_until_complete(self.cache.init())

    def set_many(self, values: Mapping[str, Any]) -> None:
        self.loop.run_until_complete(self.cache.set_many(values, expire=3_600))

    def set_tagged(self, values: Mapping[str, Any], tag: str) -> None:
        """Keep values under one tag."""

        async def keep() -> None:
            await asyncio.gather(
                *(self.cache.set(key, value, expire=3_600, tags=[tag]) for key, value in values.items())
            )

        self.loop.run_until_complete(keep())

    def delete_tag(self, tag: str) -> None:
        self.loop.run_until_complete(self.cache.delete_tags(tag))

    def call(self, name: str, keys: Sequence[str], value: Any) -> Run:
        """What makes calls of this name."""
        cache, key = self.cache, keys[0]
        ways: dict[str, Callable[[], Any]] = {
            "get": lambda: cache.get(key),
            "set": lambda: cache.set(key, value, expire=3_600),
            "get_many": lambda: cache.get_many(*keys),
        }
        once = ways[name]

        async def several(count: int) -> None:
            for _ in range(count):
                await once()

        return lambda count: self.loop.run_until_complete(several(count))


def blocks(runs: Mapping[str, Run], number: int, block: int) -> dict[str, float]:
    """Microseconds a call by contestant: the median over blocks of calls, in turn, so that all share the weather."""
    spent: dict[str, list[float]] = {who: [] for who in runs}
    for run in runs.values():
        run(block)  # connections, prepared codecs
    for _ in range(max(1, number // block)):
        for who, run in runs.items():
            start = time.perf_counter()
            run(block)
            spent[who].append((time.perf_counter() - start) / block * 1e6)
    return {who: round(median(each), 2) for who, each in spent.items()}
