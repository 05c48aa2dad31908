"""The cache as our own code uses it: values under tags, loaded when they are missing, never told once invalidated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from inspect import isawaitable
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.exceptions import ImproperlyConfigured


class Cache:
    """One alias of `CACHES`. Times are in seconds; a `ttl` of None is the alias's TIMEOUT, of 0 keeps nothing.

    The methods with an `a` before their names are the same for tasks of an event loop, in a thread.
    """

    def __init__(self, alias: str = "default") -> None:
        self.alias = alias

    @property
    def backend(self) -> Any:
        """The Django cache behind it. Raises ImproperlyConfigured if that is another's backend."""
        from cachecore.backend import CacheBackend

        found = caches[self.alias]
        if not isinstance(found, CacheBackend):
            raise ImproperlyConfigured(
                f"CACHES[{self.alias!r}] must have the BACKEND cachecore.backend.CacheBackend, not {type(found)!r}"
            )
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        return self.backend.get(key, default)

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep a value without tags. There is none with: only a loader can be known to have read after its stamps."""
        self.backend.set(key, value, DEFAULT_TIMEOUT if ttl is None else ttl)

    def delete(self, key: str) -> bool:
        """Forget it, at once; whether it was there."""
        return bool(self.backend.delete(key))

    def exists(self, key: str) -> bool:
        """Whether something is kept under the key. Counts neither as a hit nor as a miss."""
        return bool(self.backend.has_key(key))

    def get_or_set(
        self,
        key: str,
        loader: Callable[[], Any],
        ttl: float | None = None,
        *,
        tags: Collection[str] = (),
        stale_for: float = 0.0,
    ) -> Any:
        """The value, from the cache or from `loader`, which then runs once however many ask.

        No value is told after one of its `tags` was invalidated. For `stale_for` after its TTL a value may still
        be told while another load runs, or when the loader fails. None is a value.
        """
        from cachecore.loading import Reading

        backend = self.backend
        wanted = backend.default_timeout if ttl is None else ttl
        return Reading(backend, key, loader, ttl=wanted, tagged=_listed(tags), stale_for=stale_for).value()

    def get_or_set_many(
        self,
        wanted: Mapping[str, Collection[str]],
        loader: Callable[[list[str]], Mapping[str, Any]],
        ttl: float | None = None,
    ) -> dict[str, Any]:
        """The values of many keys, given with their tags: what is missing is loaded in one call.

        `loader` gets the missing keys and returns values by key; those it leaves out are not in the answer. Two
        callers at once may both load.
        """
        from cachecore.loading_many import read_many

        return read_many(self.backend, {key: _listed(tags) for key, tags in wanted.items()}, loader, self._ttl(ttl))

    def invalidate(self, tags: Iterable[str]) -> None:
        """Let no value under any of `tags` be told once the current transaction is committed; at once outside one."""
        from cachecore import invalidation

        backend = self.backend
        invalidation.invalidate(backend.location, backend.space, _listed(tags))

    def clear(self) -> None:
        """Forget every key of this alias's KEY_PREFIX."""
        self.backend.clear()

    def clear_pattern(self, pattern: str) -> int:
        """Forget the keys that fit one of Redis's patterns; how many. Walks all keys: for people, not for requests."""
        return int(self.backend.clear_pattern(pattern))

    def get_stats(self) -> dict[str, Any]:
        """The figures of `cachecore.status`, without waiting for Redis."""
        from cachecore import status

        return status.read(self.alias)

    def health_check(self) -> bool:
        """Whether the cache serves as it was configured to: from Redis, or from memory where that is all there is."""
        backend = self.backend
        return bool(backend.mode == "redis" or not backend.expects_redis)

    def close(self) -> None:
        """End this process's connections and threads for the alias. The next call begins anew."""
        self.backend.location.stop()

    # --- The same for tasks -----------------------------------------------------------------------------------

    async def aget(self, key: str, default: Any = None) -> Any:
        return await sync_to_async(self.get)(key, default)

    async def aset(self, key: str, value: Any, ttl: float | None = None) -> None:
        await sync_to_async(self.set)(key, value, ttl)

    async def adelete(self, key: str) -> bool:
        return await sync_to_async(self.delete)(key)

    async def aexists(self, key: str) -> bool:
        return await sync_to_async(self.exists)(key)

    async def aget_or_set(
        self,
        key: str,
        loader: Callable[[], Any] | Callable[[], Awaitable[Any]],
        ttl: float | None = None,
        *,
        tags: Collection[str] = (),
        stale_for: float = 0.0,
    ) -> Any:
        """As `get_or_set`; what `loader` returns may be awaitable, and is then awaited in the caller's event loop."""

        def load() -> Any:
            found = loader()
            return async_to_sync(_awaited)(found) if isawaitable(found) else found

        return await sync_to_async(self.get_or_set)(key, load, ttl, tags=tags, stale_for=stale_for)

    async def aget_or_set_many(
        self,
        wanted: Mapping[str, Collection[str]],
        loader: Callable[[list[str]], Mapping[str, Any]],
        ttl: float | None = None,
    ) -> dict[str, Any]:
        return await sync_to_async(self.get_or_set_many)(wanted, loader, ttl)

    async def ainvalidate(self, tags: Iterable[str]) -> None:
        await sync_to_async(self.invalidate)(tags)

    async def aclear(self) -> None:
        await sync_to_async(self.clear)()

    async def aclear_pattern(self, pattern: str) -> int:
        return await sync_to_async(self.clear_pattern)(pattern)

    async def aget_stats(self) -> dict[str, Any]:
        return await sync_to_async(self.get_stats)()

    async def ahealth_check(self) -> bool:
        return await sync_to_async(self.health_check)()

    async def aclose(self) -> None:
        await sync_to_async(self.close)()

    def _ttl(self, ttl: float | None) -> float | None:
        return self.backend.default_timeout if ttl is None else ttl


async def _awaited(found: Awaitable[Any]) -> Any:
    return await found


def _listed(tags: Iterable[str]) -> list[str]:
    if isinstance(tags, str):
        raise TypeError(f"tags must be an iterable of strings, not the one string {tags!r}")
    return list(tags)
