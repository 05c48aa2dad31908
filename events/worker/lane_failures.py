"""Lanes whose batches keep failing by transient errors: each is retried alone, seldom, so that others have their turn.

A batch of many lanes that fails says nothing of which lane is to blame. So from a lane's failure until its next success
it shares no batch, and its retries take a tenth of a thread's time at the most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

FIRST_PAUSE = 0.05  # seconds between two retries of a lane; doubled with each further failure
LONGEST_PAUSE = 30.0
SHARE = 9  # a pause is so many times as long as the failed batch took, at least
REPEATS = 8  # failures in a row, after which a statement that takes too long counts as its event's failure
REPORTED_AFTER = 3  # failures in a row, from which on a lane is reported
REPORTED = 8  # lanes in a heartbeat
ERROR_LENGTH = 200  # characters


@dataclass(slots=True)
class _Failing:
    times: int
    since: float
    retry_at: float
    pause: float
    error: str


class LaneFailures:
    """What a process knows of its failing lanes. Safe to call from any thread. Times are in seconds of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failing: dict[int, _Failing] = {}

    def failed(self, lanes: Iterable[int], error: BaseException, seconds: float = 0.0) -> None:
        """A batch of these lanes failed by a transient error, after so many seconds."""
        now = self._clock()
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:ERROR_LENGTH]
        with self._lock:
            for lane in lanes:
                before = self._failing.get(lane)
                times = before.times + 1 if before else 1
                pause = min(LONGEST_PAUSE, max(SHARE * seconds, FIRST_PAUSE * 2 ** min(times - 1, 20)))
                self._failing[lane] = _Failing(times, before.since if before else now, now + pause, pause, text)

    def succeeded(self, lanes: Iterable[int]) -> None:
        """A batch of these lanes was committed."""
        if self._failing:
            with self._lock:
                for lane in lanes:
                    self._failing.pop(lane, None)

    def failing(self) -> tuple[int, ...]:
        """The lanes that share no batch."""
        return tuple(self._failing)

    def take_due(self) -> int | None:
        """A lane whose retry is due; the next caller gets another one."""
        if not self._failing:
            return None
        now = self._clock()
        with self._lock:
            for lane, failing in self._failing.items():
                if failing.retry_at <= now:
                    failing.retry_at = now + failing.pause
                    return lane
        return None

    def repeated(self, lanes: Iterable[int]) -> bool:
        """Whether a batch of these lanes has failed so often that its events' attempts count."""
        with self._lock:
            return any((failing := self._failing.get(lane)) and failing.times >= REPEATS for lane in lanes)

    def report(self) -> list[dict[str, Any]]:
        """The lanes that keep failing, the longest first."""
        now = self._clock()
        with self._lock:
            failing = sorted(self._failing.items(), key=lambda item: item[1].since)
        return [
            {"lane": lane, "times": each.times, "seconds": round(now - each.since, 1), "error": each.error}
            for lane, each in failing
            if each.times >= REPORTED_AFTER
        ][:REPORTED]
