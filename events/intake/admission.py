"""Whether there is room for more events: one capacity for all priorities, computed from what is there.

Counting what is pending costs the database too much to do it for each request. So a thread samples it beside
the requests, and what this process has appended since is added: the estimate errs to the safe side.

No event is refused on an estimate older than OLDEST. While the database answers but a count takes longer than it may,
everything is admitted, and health reports that: the capacity protects from a long wait, and no promise depends on it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from django.db import OperationalError, connections

from events import stats
from events.conf import conf
from events.log.errors import STATEMENT_TOOK_TOO_LONG, sqlstate

CRITICAL = 3
SAMPLING_SHARE = 20  # a sample is taken at most this often: its own duration times this
SHORTEST_INTERVAL = 0.25  # seconds between samples
LONGEST_INTERVAL = 1.0  # however long the last sample took: it may have waited for a server that was frozen
OLDEST = 2.0  # seconds; an older sample says nothing
IDLE_END = 10.0  # seconds without traffic until the thread ends
LONGEST_RETRY = 60  # seconds

logger = structlog.stdlib.get_logger(__name__)


class Admission:
    """A process's view of the log's room. `reserve` before an append, `settle` after it, whatever came of it."""

    def __init__(
        self,
        *,
        pending_count: Callable[[int], int] = stats.pending_count,
        drain_rate: Callable[[], float] = stats.drain_rate,
        clock: Callable[[], float] = time.monotonic,
        background: bool = True,
    ) -> None:
        self._pending_count = pending_count
        self._drain_rate = drain_rate
        self._clock = clock
        self._background = background  # False: samples only in requests that find theirs stale
        self._figures = threading.Lock()  # held for arithmetic only
        self._sampling = threading.Lock()  # one sample at a time
        self._sampled: int | None = 0  # pending events, by the last sample; None: counting took too long
        self._appended = 0  # by this process, since that sample began
        self._reserved = 0  # admitted and not yet settled
        self._rate = 0.0  # events a second that workers apply
        self._sampled_at = -math.inf
        self._interval = SHORTEST_INTERVAL
        self._traffic = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> int:
        """How many events are pending, at most; 0 while that can't be counted."""
        return 0 if self._sampled is None else self._sampled + self._appended + self._reserved

    @property
    def stale(self) -> bool:
        """Whether `reserve` will ask the database before it answers (a door on an event loop must not wait there)."""
        return self._clock() - self._sampled_at > OLDEST

    def reserve(self, priorities: Sequence[int], *, ask: bool = True) -> list[bool]:
        """Which of the events with these priorities there is room for, in their order.

        Raises what the database raises when the first sample, or the first after a pause, can't be taken. With
        `ask` false it is not taken here, and nothing is refused on one that is too old.
        """
        if ask and self.stale:
            with self._sampling:
                if self.stale:
                    self._sample()
        elif self._background and self._clock() - self._sampled_at >= self._interval:
            self._wake()
        known = self._sampled is not None and not self.stale
        capacity = conf.queue_capacity if known else math.inf
        ordinary = stats.FULL_SHARE * capacity  # the rest is for CRITICAL
        with self._figures:
            pending = before = self.pending
            room = []
            for priority in priorities:
                fits = pending < (capacity if priority == CRITICAL else ordinary)
                pending += fits
                room.append(fits)
            self._reserved += pending - before
        return room

    def settle(self, reserved: int, enqueued: int) -> None:
        """Of `reserved` events, `enqueued` became pending; the others were there already, or failed."""
        with self._figures:
            self._reserved -= reserved
            self._appended += enqueued

    def retry_after(self, refused: int = 1) -> int:
        """Seconds until workers will have made room for `refused` events at the present rate, 1 to 60."""
        excess = self.pending - stats.FULL_SHARE * conf.queue_capacity + refused
        seconds = excess / self._rate if self._rate > 0 else LONGEST_RETRY
        return max(1, min(LONGEST_RETRY, math.ceil(seconds)))

    def sample(self) -> None:
        """Count what is pending now."""
        with self._sampling:
            self._sample()

    def report(self) -> dict[str, Any]:
        """What admission goes by in this process, for health; empty where nothing was admitted lately."""
        if self.stale:
            return {}
        age = round(self._clock() - self._sampled_at, 1)
        return {"pending": None if self._sampled is None else self.pending, "sample_age_seconds": age}

    def _sample(self) -> None:
        started = self._clock()
        with self._figures:
            counted = self._appended  # committed already, so the count below sees them
        pending, rate = self._counted(), self._drain_rate()
        finished = self._clock()
        with self._figures:
            self._sampled, self._rate = pending, rate
            self._appended -= counted
            self._sampled_at = finished
            took = SAMPLING_SHARE * (finished - started)
            self._interval = min(LONGEST_INTERVAL, max(SHORTEST_INTERVAL, took))

    def _counted(self) -> int | None:
        """How many events are pending; None where counting takes longer than a count may."""
        try:
            return self._pending_count(conf.queue_capacity)
        except OperationalError as error:
            if sqlstate(error) not in STATEMENT_TOOK_TOO_LONG:
                raise
            logger.warning("counting pending events takes too long, everything is admitted", error=str(error))
            return None

    def _wake(self) -> None:
        self._traffic.set()
        # A thread that ends at this very moment is missed: then the sample goes stale, and a request takes one.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._sample_while_there_is_traffic, name="admission", daemon=True)
            self._thread.start()

    def _sample_while_there_is_traffic(self) -> None:
        while self._traffic.wait(IDLE_END):
            self._traffic.clear()
            if self._clock() - self._sampled_at < self._interval:
                continue
            try:
                self.sample()
            except Exception:
                logger.warning("pending events could not be counted", exc_info=True)
                self._traffic.wait(self._interval)
            finally:
                connections.close_all()


admission = Admission()
