"""How many events a key's holder may send: GCRA, which is a token bucket, counted in events and not in requests.

Tokens are taken from the shared bucket a block ahead, so that most requests are answered from what is at hand.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings

from events import conf
from events.intake.problems import Problem, rate_limited
from events.intake.tokens import Limit, Tokens

BLOCK = 0.1  # seconds' worth of tokens that are taken ahead
LIFE = 1.0  # seconds until what is left of a block is given up: it may not be saved for a second burst

parse = lru_cache(Limit.parse)


class Verdict(NamedTuple):
    """`problem` is None where the events may be appended. `headers` go with the answer, whichever it is."""

    problem: Problem | None
    headers: dict[str, str]


@dataclass(slots=True)
class Purse:
    """What this process knows of one bucket. Moments are on the limiter's clock."""

    held: int = 0  # tokens that are paid for already
    held_until: float = -math.inf
    remaining: int = 0  # in the bucket, when it was last asked
    full_at: float = -math.inf
    refused: int = 0  # as many tokens, or more, are not to be had ...
    refused_until: float = -math.inf  # ... before this


class Limiter:
    """One limit for each key. Refused events cost nothing; a batch is let through whole or not at all."""

    def __init__(
        self,
        tokens: Callable[[], Tokens],
        limit: Callable[[], str] = lambda: conf.intake.rate_limit,
        *,
        prefix: Callable[[], str] = lambda: str(settings.CACHES["default"]["KEY_PREFIX"]),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = prefix
        self._make_tokens = tokens
        self._tokens: Tokens | None = None
        self._limit = limit
        self._clock = clock
        self._purses: dict[tuple[str, Limit], Purse] = {}
        self._figures = threading.Lock()  # held for arithmetic only
        self._asking = threading.Lock()  # one asks at a time, and the others find the block that it took

    def take_at_hand(self, key: str, events: int) -> Verdict | None:
        """`take`, if that has not to wait for Redis; None, and nothing is taken, if it would."""
        limit = parse(self._limit())
        with self._figures:
            verdict = self._known(self._purse(key, limit), limit, events)
        if verdict is None and self._source.at_hand and not self._asking.locked():
            return self.take(key, events)
        return verdict

    def take(self, key: str, events: int) -> Verdict:
        """Take a token for each of `events`. `key` is a name of its holder, never the key itself."""
        limit = parse(self._limit())
        purse = self._purse(key, limit)
        with self._figures:
            verdict = self._known(purse, limit, events)
        if verdict is not None:
            return verdict
        with self._asking:
            with self._figures:
                verdict = self._known(purse, limit, events)
            return verdict or self._ask(purse, f"{self._prefix()}:{key}:{limit.events}/{limit.seconds}", limit, events)

    def _ask(self, purse: Purse, name: str, limit: Limit, events: int) -> Verdict:
        with self._figures:
            mine, purse.held = self._held(purse), 0  # so that nobody else takes them meanwhile
        missing = events - mine
        ahead = int(limit.rate * BLOCK)
        # What is more than the bucket holds would be refused for the sake of the block alone.
        number = min(missing + ahead, max(missing, limit.events))
        grant = self._source.ask(name, limit, number)
        if not grant.given and number > missing:
            number, grant = missing, self._source.ask(name, limit, missing)
        with self._figures:
            now = self._clock()
            purse.remaining, purse.full_at = grant.remaining, now + grant.full_after
            if grant.given:
                purse.held, purse.held_until = number - missing, now + LIFE
                return Verdict(None, self._headers(purse, limit))
            purse.held = mine
            purse.refused, purse.refused_until = events, now + grant.retry_after
            return self._refused(purse, limit, events)

    def _known(self, purse: Purse, limit: Limit, events: int) -> Verdict | None:
        """The verdict that follows from what is at hand, if one does."""
        if events <= self._held(purse):
            purse.held -= events
            return Verdict(None, self._headers(purse, limit))
        if events >= purse.refused and self._clock() < purse.refused_until:
            return self._refused(purse, limit, events)
        return None

    def _refused(self, purse: Purse, limit: Limit, events: int) -> Verdict:
        # A larger batch than the one that was refused has to wait for its further events too.
        further = (events - purse.refused) / limit.rate
        wait = max(1, math.ceil(purse.refused_until - self._clock() + further))
        headers = self._headers(purse, limit)
        problem = rate_limited(wait, limit.events, limit.seconds, split=events > limit.events)
        return Verdict(replace(problem, headers={**headers, **problem.headers}), headers)

    def _headers(self, purse: Purse, limit: Limit) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers; what is left is what this process knows of it."""
        left, full_after = limit.events, 0
        if self._clock() < purse.full_at:
            left = min(limit.events, purse.remaining + self._held(purse))
            full_after = math.ceil(purse.full_at - self._clock())
        return {
            "RateLimit-Policy": f'"events";q={limit.events};w={limit.seconds}',
            "RateLimit": f'"events";r={left};t={full_after}',
        }

    def _held(self, purse: Purse) -> int:
        return purse.held if self._clock() < purse.held_until else 0

    def _purse(self, key: str, limit: Limit) -> Purse:
        purse = self._purses.get((key, limit))
        return self._purses.setdefault((key, limit), Purse()) if purse is None else purse

    @property
    def _source(self) -> Tokens:
        if self._tokens is None:
            self._tokens = self._make_tokens()
        return self._tokens


def _of_settings() -> Tokens:
    url = settings.REDIS_URL if settings.CACHE_BACKEND == "redis" else ""
    return Tokens(url, timeout=settings.CACHE_TIMEOUT)


limiter = Limiter(_of_settings)
