"""One load at a time of the same thing, among the threads of a process and, through Redis, among processes."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cachecore.breaker import is_outage
from cachecore.keeper import LEASE
from cachecore.location import Location
from cachecore.tags import new_stamp
from cachecore.trust import Trusted

POLL = 0.02  # seconds between two looks of who waits for another process

# Releases a lock only if it is still ours: after a lease ran out, it may be someone else's.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end return 0"

Name = tuple[Any, ...]


class NotToShare(Exception):
    """Raised by a load with what it found, if that is its caller's alone."""

    def __init__(self, value: Any) -> None:
        super().__init__("loaded in a transaction that has written")
        self.value = value


class Flight:
    """A load under way in a thread. Those who wait get a copy each of what it brings, or its error."""

    def __init__(self) -> None:
        self._landed = threading.Event()
        self._pickled = b""
        self._error: BaseException | None = None

    def land(self, value: Any) -> None:
        """Hold what it brought ready. Raises what pickle raises."""
        self._pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)

    def end(self, error: BaseException | None) -> None:
        """Let those who wait go on, with what it brought or with `error`."""
        self._error = error
        self._landed.set()

    def wait(self) -> Any:
        """What it brought. Raises what its loader raised; NotToShare, without a value, if that does not concern us."""
        self._landed.wait()
        if self._error is not None:
            raise self._error
        return pickle.loads(self._pickled)  # noqa: S301 - pickled in this process


_flights: dict[Name, Flight] = {}
_lock = threading.Lock()


def share(name: Name, load: Callable[[], Any]) -> Any:
    """Load, or have what a load that is under way brings.

    `name` holds the stamps: whoever comes after an invalidation has others and does not join a flight from before.
    """
    own = Flight()
    with _lock:
        other = _flights.setdefault(name, own)
    if other is not own:
        try:
            return other.wait()
        except NotToShare:
            return share(name, load)
    error: BaseException | None = NotToShare(None)  # the end of a thread or process is not that of those who wait
    _pilots.depth = depth() + 1
    try:
        value = load()
        own.land(value)
        error = None
        return value
    except NotToShare as found:
        return found.value
    except Exception as raised:
        error = raised
        raise
    finally:
        _pilots.depth -= 1
        with _lock:
            del _flights[name]  # before anyone is told, so that nobody who asks again meets it
        own.end(error)


_pilots = threading.local()


def depth() -> int:
    """How many loads this thread is in. Inside one it must not wait for another: that one may be waiting for it."""
    return int(getattr(_pilots, "depth", 0))


def under_way(name: Name) -> bool:
    """Whether someone in this process loads it now."""
    return name in _flights


@contextmanager
def lease(location: Location, mode: Trusted, name: str) -> Iterator[bool]:
    """Hold the lock `name` in Redis for the block; False if someone else holds it.

    The keeper extends it while the block runs; if the process dies, it ends by itself within LEASE seconds.
    """
    token = new_stamp()
    if not mode.redis.set(name, token, nx=True, px=int(LEASE * 1_000)):
        yield False
        return
    location.leases[name] = token
    try:
        yield True
    finally:
        location.leases.pop(name, None)
        try:
            mode.redis.eval(_RELEASE, 1, name, token)
        except Exception as error:
            if not is_outage(error):
                raise
            location.lose(mode, error)


def await_release(redis: Any, name: str, longest: float) -> None:
    """Wait until nobody holds the lock `name`, or for `longest` seconds. Raises what redis-py raises."""
    end = time.monotonic() + longest
    while redis.exists(name) and time.monotonic() < end:
        time.sleep(POLL)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _flights.clear()  # their pilots are threads of the parent


os.register_at_fork(after_in_child=_after_fork)
