"""Where tokens come from: one bucket a key that all processes share in Redis, or this process's own without it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from throttled import MemoryStore, RateLimiterRegistry, RateLimitState, RedisStore, per_duration
from throttled.exceptions import StoreUnavailableError
from throttled.store import BaseStore

SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds from one try in vain to ask Redis to the next

logger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many events in so many seconds, and as many at once."""

    events: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Limit:
        """The limit in a text such as `5000/second`."""
        number, _, unit = text.partition("/")
        return cls(int(number), SECONDS[unit])

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


@dataclass(frozen=True, slots=True)
class Grant:
    """What a bucket answered: all that was asked for, or nothing. Times are in seconds from then."""

    given: bool
    remaining: int  # tokens in the bucket
    full_after: float
    retry_after: float  # until as many will be there; 0 where they were given


class Tokens:
    """Buckets by name. While Redis does not answer, buckets in memory; it is asked again at growing intervals.

    An outage costs one request at a time its CACHE_TIMEOUT, twice a second at first and at last every ten seconds.
    """

    def __init__(self, url: str = "", *, timeout: float = 0.1, clock: Callable[[], float] = time.monotonic) -> None:
        """`url` is Redis's, or empty; `timeout` is in seconds, to connect and to answer."""
        self._own = MemoryStore()
        # Connections of its own: the cache's belong to a state of trust, which a count of tokens does not need.
        # One try: what is tried again behind our back takes a multiple of the timeout.
        once = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0)}
        self._shared = RedisStore(url, {"CONNECTION_POOL_KWARGS": once}) if url else None
        self._limiters: dict[tuple[int, Limit], Any] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._ask_again = 0.0  # on the clock
        self._failures = 0  # in a row

    @property
    def at_hand(self) -> bool:
        """Whether `ask` answers without input and output: there is no Redis to ask now."""
        return self._shared is None or (self._failures > 0 and self._clock() < self._ask_again)

    def ask(self, name: str, limit: Limit, number: int) -> Grant:
        """Take `number` tokens from the bucket, all or none."""
        if self._shared is not None and self._may_ask():
            try:
                grant = self._take(self._shared, name, limit, number)
            except (StoreUnavailableError, OSError) as error:
                self._failed(error)
            else:
                self._answered()
                return grant
        return self._take(self._own, name, limit, number)

    def _take(self, store: BaseStore, name: str, limit: Limit, number: int) -> Grant:
        limiter = self._limiters.get((id(store), limit))
        if limiter is None:
            quota = per_duration(timedelta(seconds=limit.seconds), limit.events)
            limiter = self._limiters[id(store), limit] = RateLimiterRegistry.get("gcra")(quota, store)
        found = limiter.limit(name, number)
        state: RateLimitState = found.state
        return Grant(not found.limited, state.remaining, state.reset_after, state.retry_after)

    def _may_ask(self) -> bool:
        """Whether Redis is up as far as is known, or this is the request that finds out."""
        with self._lock:
            if not self._failures:
                return True
            if self._clock() < self._ask_again:
                return False
            self._ask_again = self._clock() + FIRST_PAUSE  # for the others, while this one asks
            return True

    def _failed(self, error: Exception) -> None:
        with self._lock:
            pause = min(FIRST_PAUSE * 2 ** min(self._failures, 10), LONGEST_PAUSE)
            spread = random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing
            self._ask_again = self._clock() + pause * spread
            self._failures += 1
            first = self._failures == 1
        if first:
            logger.warning("Redis does not answer: each process limits rates by itself", error=str(error.__cause__))

    def _answered(self) -> None:
        with self._lock:
            again, self._failures = self._failures > 0, 0
        if again:
            logger.info("Redis answers: rates are limited together again")
