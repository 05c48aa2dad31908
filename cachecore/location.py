"""What a process knows of one LOCATION: whether it trusts Redis there, and what it owes it from the time it did not."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from django.conf import settings

from cachecore.breaker import Breaker
from cachecore.conf import conf
from cachecore.follower import Follower
from cachecore.keeper import Keeper
from cachecore.memory import OUTAGE_TIMEOUT, Memory
from cachecore.statistics import Counts
from cachecore.trust import Trusted

logger = logging.getLogger(__name__)

REMEMBERED = 10_000  # plain keys written during an outage; with more of them all of Redis's keys are given up
LAST_WORDS = 1.0  # seconds that a process at its end waits for the keeper to hand in what it counted
FIRST_TRUST = 1.0  # seconds that the first call of a process waits for Redis to be trusted


class Away:
    """Local memory in Redis's place, for the length of one outage or for good."""

    def __init__(self, memory: Memory, spaces: Callable[[], Collection[str]]) -> None:
        self.memory = memory
        self.follower = Follower(memory, spaces)

    def current(self) -> bool:
        """Whether what memory holds under a tag may be told: it is asked of the journal, see `Follower.catch_up`."""
        return self.follower.catch_up()

    def close(self) -> None:
        """End the follower's connection."""
        self.follower.close()


Mode = Trusted | Away


class Location:
    """One LOCATION in this process: its mode, breaker and counters. An empty `server` is memory for good."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        self.server = server
        self.params = params
        self.breaker = Breaker()
        self.counts = Counts()
        caches: dict[str, dict[str, Any]] = settings.CACHES
        self.spaces: set[str] = {
            str(each.get("KEY_PREFIX", "")) for each in caches.values() if joined(each.get("LOCATION", "")) == server
        }
        self.must_rotate: set[str] = set()  # spaces whose keys in Redis are given up before it is trusted
        self._rotations = 0
        self.performed: deque[int] = deque()  # rows of the journal that are to be marked so
        self.retired: list[Trusted] = []  # ended, but commands under way may have given connections back since
        self.leases: dict[str, bytes] = {}  # locks of loads under way, by their key in Redis
        self._fresh()

    def _fresh(self) -> None:
        self.lock = threading.Lock()
        self.seen: dict[str, Any] = {}  # the figures that the keeper last saw of Redis and the journal
        self._mode: Mode | None = None
        self._keeper = Keeper(self) if self.server else None
        self._owed: set[str] = set()  # plain keys to be forgotten in Redis
        self._owed_digests: set[tuple[str, bytes]] | None = None  # invalidated while Redis was on the way to be trusted

    @property
    def lasting(self) -> bool:
        """Whether memory serves for good."""
        return not self.server

    @property
    def known_mode(self) -> Mode | None:
        """The mode as it is, None before the first call; never begins anything."""
        return self._mode

    @property
    def mode(self) -> Mode:
        """How to serve a call that begins now."""
        return self._mode or self._begin()

    def add_space(self, space: str) -> None:
        """Let the invalidations of a KEY_PREFIX be performed here, those of the past before it is trusted."""
        if space in self.spaces:
            return
        with self.lock:
            self.spaces = self.spaces | {space}
            mode = self._mode
        if isinstance(mode, Trusted):
            self.lose(mode, "another KEY_PREFIX is used", at_once=True)

    def lose(self, mode: Mode, reason: object, *, at_once: bool = False) -> None:
        """Trust `mode` no longer, if it is still the one. `at_once`: Redis is not to blame, so ask it right away."""
        with self.lock:
            if self._mode is not mode or not isinstance(mode, Trusted):
                return
            self._mode = self._away()
            self.breaker.open()
        mode.close()
        self.retired.append(mode)
        if at_once:
            logger.info("cache asks Redis anew", extra={"reason": str(reason)})
        else:
            self.breaker.failed(str(reason))
            logger.warning("cache falls back to memory", extra={"error": str(reason)})
        if self._keeper is not None:
            self._keeper.wake(at_once=at_once)

    def hurry(self) -> None:
        """Redis was seen to answer: if memory serves in its place, end the pause before the next probe."""
        if self._keeper is not None and isinstance(self._mode, Away):
            self._keeper.wake(at_once=True)

    # --- What is owed to a Redis that is not trusted ----------------------------------------------------------

    def remember(self, mode: Mode, keys: Iterable[str]) -> bool:
        """Note that `keys` are written in memory and so are wrong in Redis. False if `mode` has ended meanwhile."""
        if self.lasting:
            return True
        with self.lock:
            if self._mode is not mode:
                return False
            owed = self._owed
            owed.update(keys)
            if len(owed) > REMEMBERED:
                owed.clear()
                self.must_rotate |= self.spaces
            return True

    def give_up(self, mode: Mode, space: str) -> bool:
        """Note that everything of `space` was cleared. False if `mode` has ended meanwhile."""
        if self.lasting:
            return True
        with self.lock:
            if self._mode is mode:
                self.must_rotate.add(space)
            return self._mode is mode

    def drop(self, mode: Away, space: str, digests: Collection[bytes]) -> bool:
        """Invalidate in memory what is committed in the journal. False if `mode` has ended meanwhile."""
        with self.lock:
            if self._mode is not mode:
                return False
            mode.memory.drop(digests)
            if self._owed_digests is not None:
                self._owed_digests.update((space, one) for one in digests)
            return True

    @property
    def owes(self) -> bool:
        """Whether keys were written in memory that Redis still holds as they were before."""
        return bool(self._owed or self.must_rotate)

    def rotate_alone(self) -> str:
        """Where there is no journal: how often this process gave keys up."""
        with self.lock:
            self._rotations += bool(self.must_rotate)
            self.must_rotate.clear()
            return str(self._rotations)

    def collect(self) -> None:
        """From now on, note what is invalidated here: the keeper is about to read the journal."""
        with self.lock:
            self._owed_digests = set()

    def owed(self) -> Sequence[str]:
        """The plain keys to be forgotten; they are not owed any more once this is called."""
        with self.lock:
            owed, self._owed = self._owed, set()
        return list(owed)

    def owe_again(self, keys: Sequence[str]) -> None:
        """Redis failed before it could forget them."""
        with self.lock:
            self._owed.update(keys)

    def trust(self, candidate: Trusted, keeper: Keeper) -> bool:
        """Serve from Redis from now on. False, or what Redis raises: then nothing has changed.

        What was written or invalidated here while the keeper replayed the journal is performed under the lock that
        writers take, so that between the last of them and this moment there is nothing.
        """
        with self.lock:
            if self.must_rotate or keeper is not self._keeper:
                return False  # keys were given up since the keeper asked, or it was stopped meanwhile
            candidate.forget(self._owed, self._owed_digests or ())
            before, self._mode = self._mode, candidate
            self._owed.clear()
            self._owed_digests = None
            after_an_outage = self.breaker.close()
        if before is not None:
            before.close()
        log = logger.warning if after_an_outage else logger.debug
        log("cache is served by Redis again" if after_an_outage else "cache is served by Redis")
        return True

    # --- Beginning and end ------------------------------------------------------------------------------------

    def _begin(self) -> Mode:
        with self.lock:
            if self._mode is not None:
                return self._mode
            self._mode = self._away()
            if self._keeper is not None:
                self.breaker.open()
                self._keeper.start()
        if self._keeper is not None:
            self._keeper.tried.wait(FIRST_TRUST)
        return self._mode

    def _away(self) -> Away:
        entries = self.params.get("OPTIONS", {}).get("MAX_ENTRIES", conf.max_memory_size)
        return Away(Memory(entries, longest=None if self.lasting else OUTAGE_TIMEOUT), lambda: self.spaces)

    def stop(self, patience: float = 10.0) -> None:
        """End the keeper, waiting for it as many seconds, and all connections; the next call begins anew."""
        with self.lock:
            mode, keeper = self._mode, self._keeper
        if keeper is not None:
            keeper.stop(patience)
        if mode is not None:
            mode.close()
        self._fresh()

    def forked(self) -> None:
        """In a child process: threads, locks and sockets are the parent's."""
        self.counts = Counts()
        self.performed.clear()
        self.leases.clear()
        self.retired.clear()
        self._fresh()


_locations: dict[str, Location] = {}
_lock = threading.Lock()


def joined(server: str | list[str]) -> str:
    """A LOCATION as one string."""
    return server if isinstance(server, str) else ",".join(server)


def location(server: str, params: dict[str, Any]) -> Location:
    """The location of that name in this process, with the first caller's `params`."""
    found = _locations.get(server)
    if found is None:
        with _lock:
            found = _locations.setdefault(server, Location(server, params))
    return found


def locations() -> list[Location]:
    """All that were used in this process."""
    return list(_locations.values())


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for each in _locations.values():
        each.forked()


def _at_exit() -> None:
    for each in _locations.values():
        each.stop(LAST_WORDS)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
