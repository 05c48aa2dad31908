"""A cache in Redis by Django's contract: django-redis, its deviations corrected, the epoch at the end of each key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django_redis.util import CacheKey

from cachecore import patterns
from cachecore.memory import MISSING
from cachecore.serializer import VERSION, Unverified
from cachecore.tags import STAMP_TTL, new_stamp, stamp_key

SEPARATOR = "@"  # before the epoch, which stands last so that prefixes still select keys for ACLs and patterns


class RedisStore:
    """One alias's view of a trusted Redis. Keys are given made and validated, timeouts in seconds or None.

    `client` is django-redis's, bound to connections of one epoch; `ask` puts one command to the same. Raises what
    redis-py and django-redis raise.
    Everything goes to the primary: a replica answers with what was true some time ago.
    """

    def __init__(
        self, client: Any, ask: Callable[..., Any], epoch: str, prefix: str, unverified: Callable[[], None]
    ) -> None:
        self.redis = client.get_client(write=True)
        self._client = client
        self._ask = ask
        self._loads = client._serializer.loads
        self._suffix = SEPARATOR + epoch
        self._prefix = prefix
        self._unverified = unverified

    def get(self, key: str, default: Any = None) -> Any:
        found = self._decoded(self._ask(b"GET", self._full(key).encode()))
        return default if found is MISSING else found

    def read(self, keys: Sequence[str], digests: Sequence[bytes] = ()) -> tuple[list[Any], list[bytes | None]]:
        """The values of `keys`, MISSING where there is none, and the stamps of `digests`: one round trip."""
        answers = self._ask(b"MGET", *(self._full(key).encode() for key in keys), *self._stamp_keys(digests))
        return [self._decoded(answer) for answer in answers[: len(keys)]], answers[len(keys) :]

    def set(self, key: str, value: Any, timeout: float | None) -> None:
        self._client.set(self._full(key), value, timeout=timeout, client=self.redis)

    def add(self, key: str, value: Any, timeout: float | None) -> bool:
        return bool(self._client.add(self._full(key), value, timeout=timeout, client=self.redis))

    def touch(self, key: str, timeout: float | None) -> bool:
        full = self._full(key)
        if timeout is None:
            # PERSIST answers 0 for a key that never had an end, as for one that is not there.
            return bool(self.redis.persist(full) or self.redis.exists(full))
        return bool(self._client.touch(full, timeout=timeout, client=self.redis))

    def delete(self, key: str) -> bool:
        return bool(self.redis.unlink(self._full(key)))

    def has_key(self, key: str) -> bool:
        return bool(self._client.has_key(self._full(key), client=self.redis))

    def incr(self, key: str, delta: int) -> int:
        return int(self._client.incr(self._full(key), delta, client=self.redis))

    def set_many(self, data: Mapping[str, Any], timeout: float | None) -> None:
        self._client.set_many({self._full(key): value for key, value in data.items()}, timeout, client=self.redis)

    def delete_many(self, keys: Iterable[str]) -> None:
        full = [self._full(key) for key in keys]
        if full:
            self.redis.unlink(*full)

    def clear_pattern(self, pattern: str) -> int:
        """Forget the keys that fit `pattern`, in every epoch; how many there were."""
        return patterns.remove(self.redis, f"{pattern}{SEPARATOR}*")

    def stamps(self, digests: Sequence[bytes]) -> list[bytes | None]:
        """The stamps of `digests`, None for those that have none."""
        return list(self._ask(b"MGET", *self._stamp_keys(digests))) if digests else []

    def stamped(self, digests: Sequence[bytes]) -> list[bytes | None]:
        """The stamps of `digests`, made where there were none; None for one that was invalidated just then."""
        keys = self._stamp_keys(digests)
        with self.redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.set(key, new_stamp(), nx=True, ex=STAMP_TTL)
            pipeline.mget(keys)
            return list(pipeline.execute()[-1])

    def _full(self, key: str) -> CacheKey:
        return CacheKey(key + self._suffix)

    def _stamp_keys(self, digests: Sequence[bytes]) -> list[bytes]:
        return [stamp_key(self._prefix, one) for one in digests]

    def _decoded(self, answer: bytes | None) -> Any:
        if answer is None:
            return MISSING
        try:
            # django-redis takes everything for an integer first; the exception costs a tenth of a hit.
            return self._loads(answer) if answer.startswith(VERSION) else self._client.decode(answer)
        except Unverified:
            self._unverified()
            return MISSING
