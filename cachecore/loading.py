"""Reading through the cache: a value that is there and fresh, else one that is loaded and kept.

What makes it safe: stamps are read before the loader runs and kept with the value, so that a value which raced an
invalidation never matches; and nobody joins a load that began under other stamps than those of now.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from cachecore import flights, invalidation, tags
from cachecore.breaker import is_outage
from cachecore.location import Mode
from cachecore.memory import MISSING
from cachecore.records import fresh, held_value, keep
from cachecore.statistics import HITS, MISSES, SETS, STALE
from cachecore.tags import Tagged
from cachecore.trust import Trusted

if TYPE_CHECKING:
    from cachecore.backend import CacheBackend

LONGEST_WAIT = 30.0  # seconds that one waits for another process's load before loading oneself

Stamps = Sequence[bytes | None]


class LoaderFailed(Exception):
    """Carries what a loader raised past the handling of Redis's own errors."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


class Reading:
    """One `get_or_set`: a key with its tags on one alias, and how it is loaded. Times are in seconds."""

    def __init__(
        self,
        backend: CacheBackend,
        key: str,
        loader: Callable[[], Any],
        *,
        ttl: float | None,
        tagged: Collection[str],
        stale_for: float,
    ) -> None:
        self.backend = backend
        self.key = key
        self.made = backend.make_and_validate_key(key)
        self.loader = loader
        self.ttl = ttl
        self.stale_for = stale_for
        self.digests = tags.digests(tagged)

    def value(self) -> Any:
        """The value. Raises what the loader raises, unless a value that is a little too old may be told instead."""
        if self.digests and invalidation.pending(self.backend.space, self.digests):
            return self.loader()
        patient_until = time.monotonic() + LONGEST_WAIT
        while True:
            mode = self.backend.location.mode
            try:
                found = self._through(mode, patient=time.monotonic() < patient_until)
            except LoaderFailed as failure:
                raise failure.error from None
            except Exception as error:
                if not is_outage(error) or not isinstance(mode, Trusted):
                    raise
                self.backend.location.lose(mode, error)
            else:
                if found is not MISSING:
                    return found

    def _through(self, mode: Mode, *, patient: bool) -> Any:
        """One attempt in `mode`: the value, or MISSING if another process's load was waited for: then read again."""
        store = self.backend.store(mode)
        if self.digests and not isinstance(mode, Trusted) and not mode.follower.catch_up():
            return self._load(mode, None)
        (found,), stamps = store.read([self.made], self.digests)
        held = held_value(found, self.digests, stamps)
        if held is not None and fresh(held):
            self._count(HITS)
            return held.value
        if not invalidation.may_store():
            return self._load(mode, None)
        bridge = held if held is not None and self._may_bridge(held) else None
        if None in stamps:
            stamps = store.stamped(self.digests)
            if None in stamps:  # invalidated while they were made: such a load must be neither kept nor shared
                return self._load(mode, None)
        name = (id(self.backend.location), self.made, tuple(stamps))
        if flights.piloted_here(name):
            return self._load(mode, None)
        if bridge is not None and flights.under_way(name):
            return self._stale(bridge)
        try:
            return self._fly(mode, name, stamps, bridge, patient=patient)
        except LoaderFailed as failure:
            if bridge is None or not isinstance(failure.error, Exception):
                raise
            return self._stale(bridge)

    def _fly(self, mode: Mode, name: flights.Name, stamps: Stamps, bridge: Tagged | None, *, patient: bool) -> Any:
        if not isinstance(mode, Trusted):
            return flights.share(name, lambda: self._load(mode, stamps))
        lock = self._lock(stamps)

        def fly() -> Any:
            with flights.lease(self.backend.location, mode, lock) as ours:
                return (True, self._load(mode, stamps)) if ours or not patient else (False, None)

        loaded, value = flights.share(name, fly)
        if loaded:
            return value
        if bridge is not None:
            return self._stale(bridge)
        flights.await_release(mode.redis, lock, LONGEST_WAIT)
        return MISSING

    def _load(self, mode: Mode, stamps: Stamps | None) -> Any:
        """Load, and keep it under `stamps` unless these are None."""
        self._count(MISSES)
        try:
            value = self.loader()
        except BaseException as error:
            raise LoaderFailed(error) from error
        if stamps is not None:
            try:
                keep(self.backend.store(mode), {self.made: (value, self.digests, stamps)}, self.ttl, self.stale_for)
                self._count(SETS)
            except Exception as error:
                if not is_outage(error) or not isinstance(mode, Trusted):
                    raise
                self.backend.location.lose(mode, error)
        return value

    def _may_bridge(self, held: Tagged) -> bool:
        """Whether a value past its time may be told while another load runs, or after one failed."""
        return held.until is not None and time.time() < held.until + self.stale_for

    def _stale(self, bridge: Tagged) -> Any:
        self._count(STALE)
        return bridge.value

    def _lock(self, stamps: Stamps) -> str:
        text = b"\0".join([self.made.encode("utf-8", "surrogatepass"), *(stamp or b"" for stamp in stamps)])
        return f"{self.backend.space}:lock:{hashlib.blake2b(text, digest_size=16).hexdigest()}"

    def _count(self, kind: str) -> None:
        self.backend.location.counts.add(self.key, kind)
