"""The Django cache backend: Redis while it is trusted, local memory while it is not.

What memory holds during an outage is this process's own: other processes don't see it, and nothing of it is
carried over to Redis afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from cachecore import invalidation, patterns
from cachecore.breaker import is_outage
from cachecore.conf import conf
from cachecore.location import Mode, joined, location
from cachecore.memory import MISSING, Memory
from cachecore.records import fresh, held_value
from cachecore.redis_store import RedisStore
from cachecore.statistics import DELETES, ERRORS, HITS, MISSES, SETS
from cachecore.tags import Tagged
from cachecore.trust import Trusted

Timeout = float | object | None


class CacheBackend(BaseCache):
    """`LOCATION` as django-redis takes it; an empty one means memory for good."""

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__({"TIMEOUT": conf.default_ttl, **params})
        self.params = params
        self.location = location(joined(server), params)
        self.space = self.key_prefix  # whose invalidations concern it
        self.location.add_space(self.space)
        self._redis: tuple[Trusted | None, Any] = (None, None)

    @property
    def mode(self) -> str:
        """`redis` or `memory`: where a call would go now."""
        return "redis" if isinstance(self.location.mode, Trusted) else "memory"

    @property
    def expects_redis(self) -> bool:
        """Whether memory, where it serves, is a fallback."""
        return not self.location.lasting

    # --- Django's contract ------------------------------------------------------------------------------------

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        found = self._read("get", self.make_and_validate_key(key, version), MISSING)
        if type(found) is Tagged:
            found = self._verified([found])[0]
        self.location.counts.add(key, MISSES if found is MISSING else HITS)
        return default if found is MISSING else found

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        made = {self.make_and_validate_key(key, version): key for key in keys}
        if not made:
            return {}
        found, _ = self._read("read", list(made))
        if any(type(value) is Tagged for value in found):
            found = self._verified(found)
        for key, value in zip(made.values(), found, strict=True):
            self.location.counts.add(key, MISSES if value is MISSING else HITS)
        return {key: value for key, value in zip(made.values(), found, strict=True) if value is not MISSING}

    def has_key(self, key: str, version: int | None = None) -> bool:
        return bool(self._read("has_key", self.make_and_validate_key(key, version)))

    def set(self, key: str, value: Any, timeout: Timeout = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        made = self.make_and_validate_key(key, version)
        self._write("set", (made,), made, value, self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout)
        self.location.counts.add(key, SETS)

    def add(self, key: str, value: Any, timeout: Timeout = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        made = self.make_and_validate_key(key, version)
        added = bool(self._write("add", [made], made, value, self._seconds(timeout)))
        self.location.counts.add(key, SETS, added)
        return added

    def set_many(
        self, data: Mapping[str, Any], timeout: Timeout = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[str]:
        made = {self.make_and_validate_key(key, version): value for key, value in data.items()}
        if made:
            self._write("set_many", made, made, self._seconds(timeout))
        for key in data:
            self.location.counts.add(key, SETS)
        return []

    def touch(self, key: str, timeout: Timeout = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        made = self.make_and_validate_key(key, version)
        return bool(self._write("touch", [made], made, self._seconds(timeout)))

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        made = self.make_and_validate_key(key, version)
        return int(self._write("incr", [made], made, delta))

    def delete(self, key: str, version: int | None = None) -> bool:
        made = self.make_and_validate_key(key, version)
        self.location.counts.add(key, DELETES)
        return bool(self._write("delete", [made], made))

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        listed = list(keys)
        made = [self.make_and_validate_key(key, version) for key in listed]
        self._write("delete_many", made, made)
        for key in listed:
            self.location.counts.add(key, DELETES)

    def clear(self) -> None:
        """Forget every key under our prefix, in every version; the rest of a shared Redis is not ours."""
        self._clear(self.key_func("*", patterns.escape(self.key_prefix), "*"))

    def close(self, **_: Any) -> None:
        """The connections belong to the process, not to the request that ends."""

    # --- Beyond it --------------------------------------------------------------------------------------------

    def clear_pattern(self, pattern: str, version: int | None = None) -> int:
        """Forget the keys of `version` that fit one of Redis's patterns; how many there were."""
        wanted = self.version if version is None else version
        return self._clear(self.key_func(pattern, patterns.escape(self.key_prefix), wanted))

    def store(self, mode: Mode) -> RedisStore | Memory:
        """This alias's view of `mode`: keys made and validated, timeouts in seconds."""
        if mode.memory is not None:
            return mode.memory
        held, store = self._redis
        if held is not mode:
            client = mode.client(self.params)
            store = RedisStore(client, mode.ask, mode.epoch, self.space, self._count_unverified)
            self._redis = (mode, store)
        return store

    # --- Where a call goes ------------------------------------------------------------------------------------

    def _read(self, verb: str, *args: Any) -> Any:
        while True:
            mode = self.location.mode
            try:
                return getattr(mode.memory or self.store(mode), verb)(*args)
            except Exception as error:
                self._bear(mode, error)

    def _write(self, verb: str, keys: Iterable[str], *args: Any) -> Any:
        while True:
            mode = self.location.mode
            if mode.memory is not None and not self.location.remember(mode, keys):
                continue
            try:
                return getattr(mode.memory or self.store(mode), verb)(*args)
            except Exception as error:
                self._bear(mode, error)

    def _clear(self, pattern: str) -> int:
        while True:
            mode = self.location.mode
            if mode.memory is not None:
                if self.location.give_up(mode, self.space):
                    return mode.memory.clear_pattern(pattern)
                continue
            try:
                return int(self.store(mode).clear_pattern(pattern))
            except Exception as error:
                self._bear(mode, error)

    def _bear(self, mode: Mode, error: Exception) -> None:
        """Fall back if Redis is to blame; what the program did wrong is raised."""
        if mode.memory is not None or not is_outage(error):
            raise error
        self.location.lose(mode, error)

    def _verified(self, found: list[Any]) -> list[Any]:
        """Values read without their tags: those kept under tags are checked by these all the same."""
        digests = tuple({one: None for value in found if type(value) is Tagged for one in value.digests})
        current = dict(zip(digests, self._current(digests), strict=True))

        def told(value: Any) -> Any:
            if type(value) is not Tagged:
                return value
            held = held_value(value, value.digests, [current[one] for one in value.digests])
            return MISSING if held is None or not fresh(held) else held.value

        return [told(value) for value in found]

    def _current(self, digests: tuple[bytes, ...]) -> list[bytes | None]:
        """The stamps of now; none at all where they can't be known, or where this transaction made them void."""
        none: list[bytes | None] = [None] * len(digests)
        if not digests or invalidation.pending(self.space, digests):
            return none
        mode = self.location.mode
        if not isinstance(mode, Trusted) and not mode.follower.catch_up():
            return none
        return list(self._read("stamps", digests))

    def _seconds(self, timeout: Timeout) -> Any:
        return self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout

    def _count_unverified(self) -> None:
        self.location.counts.add("", ERRORS)
