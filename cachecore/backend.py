"""The cache backend: django-redis for the cache, local memory while Redis can't be reached.

What memory holds during an outage is this process's own: other processes don't see it, and nothing of it is
carried over to Redis afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django_redis.cache import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, OutOfMemoryError, ReadOnlyError, TimeoutError
from redis.retry import Retry

from cachecore.conf import conf

logger = logging.getLogger(__name__)

# Redis can't do it now. Anything else that it raises is a mistake of the program and goes on to the caller.
OUTAGES = (ConnectionError, TimeoutError, ReadOnlyError, BusyLoadingError, OutOfMemoryError, OSError)
OUTAGE_TIMEOUT = 60  # seconds that a value set during an outage lives at most
PAUSE = 1.0  # seconds without a question to Redis after it failed
CLEAR_BATCH = 1_000  # keys per SCAN and UNLINK

# When each LOCATION may be asked again (monotonic seconds); Django makes one backend a thread, Redis is one.
_paused_until: dict[str, float] = {}

Timeout = float | object | None


class CacheBackend(BaseCache):
    """`LOCATION` as django-redis takes it; an empty one means memory for good."""

    def __init__(self, location: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(params)
        self._location = ",".join(location) if isinstance(location, list) else location
        options = {"MAX_ENTRIES": conf.max_memory_size, **params.get("OPTIONS", {})}
        self._memory = LocMemCache(f"cachecore:{self._location}", {**params, "OPTIONS": options})
        self._redis = RedisCache(self._location, _redis_params(params)) if self._location else None

    @property
    def mode(self) -> str:
        """`redis` or `memory`: where a call would go now."""
        return "redis" if self._may_ask() else "memory"

    @property
    def expects_redis(self) -> bool:
        """Whether memory, where it serves, is a fallback."""
        return self._redis is not None

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        self._check(key, version)
        return self._do("get", key, default=default, version=version)

    def set(self, key: str, value: Any, timeout: Timeout = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._check(key, version)
        self._do("set", key, value, timeout=timeout, version=version)

    def add(self, key: str, value: Any, timeout: Timeout = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        self._check(key, version)
        return bool(self._do("add", key, value, timeout=timeout, version=version))

    def touch(self, key: str, timeout: Timeout = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        self._check(key, version)
        return bool(self._do("touch", key, timeout=timeout, version=version))

    def delete(self, key: str, version: int | None = None) -> bool:
        self._check(key, version)
        return bool(self._do("delete", key, version=version))

    def has_key(self, key: str, version: int | None = None) -> bool:
        self._check(key, version)
        return bool(self._do("has_key", key, version=version))

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        self._check(key, version)
        return int(self._do("incr", key, delta, version=version))

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        return dict(self._do("get_many", self._checked(keys, version), version=version))

    def set_many(
        self, data: Mapping[str, Any], timeout: Timeout = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[str]:
        self._checked(data, version)
        self._do("set_many", data, timeout=timeout, version=version)
        return []

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        self._do("delete_many", self._checked(keys, version), version=version)

    def clear(self) -> None:
        """Forget every key under our prefix, in every version; the rest of a shared Redis is not ours."""
        self._memory.clear()
        if self._redis is not None:
            self._guarded(self._clear_redis, lambda: None)

    def close(self, **_: Any) -> None:
        """The connections belong to the process, not to the request that ends."""

    def _do(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        def remember() -> Any:
            if self._redis is not None and "timeout" in kwargs:
                kwargs["timeout"] = _shortened(kwargs["timeout"], self.default_timeout)
            return getattr(self._memory, verb)(*args, **kwargs)

        return self._guarded(lambda: getattr(self._redis, verb)(*args, **kwargs), remember)

    def _guarded(self, redis: Callable[[], Any], memory: Callable[[], Any]) -> Any:
        if not self._may_ask():
            return memory()
        try:
            return redis()
        except OUTAGES as error:
            _paused_until[self._location] = monotonic() + PAUSE
            logger.warning("cache falls back to memory", extra={"error": str(error), "seconds": PAUSE})
            return memory()

    def _may_ask(self) -> bool:
        return self._redis is not None and monotonic() >= _paused_until.get(self._location, 0.0)

    def _clear_redis(self) -> None:
        assert self._redis is not None
        client = self._redis.client.get_client(write=True)
        batch: list[Any] = []
        for key in client.scan_iter(match=f"{_escaped(self.key_prefix)}:*", count=CLEAR_BATCH):
            batch.append(key)
            if len(batch) == CLEAR_BATCH:
                client.unlink(*batch)
                batch.clear()
        if batch:
            client.unlink(*batch)

    def _check(self, key: str, version: int | None) -> None:
        self.validate_key(self.make_key(key, version=version))

    def _checked(self, keys: Iterable[str], version: int | None) -> list[str]:
        listed = list(keys)
        for key in listed:
            self._check(key, version)
        return listed


def _redis_params(params: dict[str, Any]) -> dict[str, Any]:
    # redis-py repeats a failed command ten times by default: an outage must cost one timeout.
    pool = {"retry": Retry(NoBackoff(), 0), "retry_on_timeout": False}
    timeouts = {"SOCKET_TIMEOUT": conf.timeout, "SOCKET_CONNECT_TIMEOUT": conf.timeout}
    return {**params, "OPTIONS": {"CONNECTION_POOL_KWARGS": pool, **timeouts, **params.get("OPTIONS", {})}}


def _shortened(timeout: Any, default: float | None) -> float:
    wanted = default if timeout is DEFAULT_TIMEOUT else timeout
    return OUTAGE_TIMEOUT if wanted is None else min(wanted, OUTAGE_TIMEOUT)


def _escaped(text: str) -> str:
    """`text` for a Redis pattern, its own special characters taken literally."""
    return "".join(f"\\{character}" if character in "*?[]\\^" else character for character in text)
