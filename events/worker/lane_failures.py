"""Lanes whose batches fail by transient errors: each is retried alone, and retries take a bounded share of the time.

A batch of many lanes that fails does not show which lane is the cause. So from a lane's failure until its next success
it shares no batch. A lane that fails alone is the cause, and costs: the next retry of such a lane comes after nine
times as long as the failed batch took, or 30 s, and waits for a lock for a ninth of its lane's pause.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

FIRST_PAUSE = 0.05  # seconds between two retries of a lane; doubled with each further failure
LONGEST_PAUSE = 30.0
SHARE = 9  # no lane that failed alone is retried for so many times as long as the latest of them took
LOCK_TIMEOUT = 0.1  # seconds, of a retry at least
REPEATS = 8  # failures in a row, after which a statement that takes too long counts as its event's failure
REPORTED_AFTER = 3  # failures in a row, from which on a lane is reported
REPORTED = 8  # lanes in a heartbeat
ERROR_LENGTH = 200  # characters


@dataclass(slots=True)
class _Failing:
    times: int
    since: float
    retry_at: float
    error: str
    alone: bool  # it was the only lane in the latest batch that failed


class Retry(NamedTuple):
    """A lane to try again, and for how many seconds a statement of the retry may wait for a lock."""

    lane: int
    lock_timeout: float


class LaneFailures:
    """What a process knows of its failing lanes. Safe to call from any thread. Times are in seconds of `clock`.

    A suspect runs alone: it fails apart from the other events of its lane, which are suspect 0 here.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failing: dict[tuple[int, int], _Failing] = {}  # by lane and suspect
        self._next_retry_at = [0.0, 0.0]  # of any lane and of any suspect that has failed alone

    def failed(self, lanes: Sequence[int], error: BaseException, seconds: float = 0.0, suspect: int = 0) -> None:
        """Note that a batch of these lanes failed by a transient error, after so many seconds."""
        now = self._clock()
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:ERROR_LENGTH]
        alone = len(lanes) == 1
        with self._lock:
            if alone:
                self._next_retry_at[suspect > 0] = now + min(LONGEST_PAUSE, SHARE * seconds)
            for lane in lanes:
                before = self._failing.get((lane, suspect))
                times = before.times + 1 if before else 1
                since = before.since if before else now
                self._failing[lane, suspect] = _Failing(times, since, now + _pause(times), text, alone)

    def succeeded(self, lanes: Iterable[int], suspect: int = 0) -> None:
        """Note that a batch of these lanes was committed, or that they had nothing to apply."""
        if self._failing:
            with self._lock:
                for lane in lanes:
                    self._failing.pop((lane, suspect), None)

    def failing(self) -> tuple[int, ...]:
        """The lanes that share no batch."""
        if not self._failing:
            return ()
        with self._lock:
            return tuple(lane for lane, suspect in self._failing if not suspect)

    def take_due(self) -> Retry | None:
        """The retry that is due, of the lane that failed least; the next caller gets another one."""
        if not self._failing:
            return None
        with self._lock:
            lanes = sorted((each.times, lane) for (lane, suspect), each in self._failing.items() if not suspect)
            return next((retry for _, lane in lanes if (retry := self._take(lane, 0))), None)

    def take_suspect(self, suspect: int, lane: int) -> Retry | None:
        """The try of a suspect that is due: its first one, or a retry."""
        with self._lock:
            return self._take(lane, suspect)

    def _take(self, lane: int, suspect: int) -> Retry | None:
        failing = self._failing.get((lane, suspect))
        if failing is None:
            return Retry(lane, LOCK_TIMEOUT)
        now = self._clock()
        # One that has not failed alone may not be to blame: it waits for its own pause only.
        if now < failing.retry_at or (failing.alone and now < self._next_retry_at[suspect > 0]):
            return None
        failing.retry_at = now + _pause(failing.times)
        return Retry(lane, max(LOCK_TIMEOUT, _pause(failing.times) / SHARE))

    def in_turn(self, suspects: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """(id, lane) of suspects, those first that failed least.

        The failures of all others are forgotten: they were applied or discarded, or wait for their time.
        """
        if not self._failing:
            return suspects
        kept = {0, *(id_ for id_, _ in suspects)}
        with self._lock:
            self._failing = {key: each for key, each in self._failing.items() if key[1] in kept}
            times = {suspect: each.times for (_, suspect), each in self._failing.items()}
        return sorted(suspects, key=lambda suspect: times.get(suspect[0], 0))

    def repeated(self, lanes: Iterable[int], suspect: int = 0) -> bool:
        """Whether a batch of these lanes has failed so often that its events' attempts count."""
        with self._lock:
            return any((failing := self._failing.get((lane, suspect))) and failing.times >= REPEATS for lane in lanes)

    def report(self) -> list[dict[str, Any]]:
        """The lanes that keep failing, the longest first."""
        now = self._clock()
        with self._lock:
            failing = sorted(self._failing.items(), key=lambda item: item[1].since)
        return [
            {"lane": lane, "times": each.times, "seconds": round(now - each.since, 1), "error": each.error}
            for (lane, _), each in failing
            if each.times >= REPORTED_AFTER
        ][:REPORTED]


def _pause(times: int) -> float:
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(times - 1, 20))
