"""What one worker process has done and is doing: the figures of its heartbeat."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypedDict

from events.latency import BUCKETS, Latencies, add, by_bucket

MINUTE = 60.0  # seconds
LANES_TOLD = 8  # of a batch, at the most

Holding = Callable[[tuple[int, ...], int], None]


class Figures(TypedDict):
    """The counters of a worker's row."""

    processed: int
    failed: int
    busy_seconds: float
    available_seconds: float
    minute_processed: int
    minute_busy: float
    minute_available: float
    minute_seconds: float
    minute_latency: list[int]
    batches: list[dict[str, Any]]
    idle_seconds: float


class _Past(NamedTuple):
    """The counters at a former heartbeat."""

    at: float = 0.0
    processed: int = 0
    busy: float = 0.0
    available: float = 0.0
    latency: tuple[int, ...] = (0,) * BUCKETS


class Work:
    """Counts events and busy seconds; `figures` also gives the last minute of each."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.started = self.progressed = time.monotonic()
        self._lock = threading.Lock()
        self._in_hand: dict[int, tuple[float, tuple[int, ...], int]] = {}  # by thread: since when, lanes, events
        self.begin()

    def begin(self) -> None:
        """Count from nothing: the row that held the former counters is gone, and they are kept elsewhere."""
        with self._lock:
            self._processed = self._failed = 0
            self._busy = self._available = 0.0
            self._unwritten: Latencies = {}
            self._latency = [0] * BUCKETS
            self._history = deque([_Past(time.monotonic())])

    @property
    def processed(self) -> int:
        """Events applied since `begin`."""
        return self._processed

    def add(self, processed: int, failed: int, latencies: Latencies | None = None) -> None:
        """Count what one step did."""
        with self._lock:
            self._processed += processed
            self._failed += failed
            if latencies:
                add(self._unwritten, latencies)
                for bucket, events in enumerate(by_bucket(latencies)):
                    self._latency[bucket] += events

    @contextmanager
    def step(self) -> Iterator[Holding]:
        """A step of this thread; what it yields is called with the batch, which is reported until the step ends.

        A step with a batch is busy from its beginning, whatever becomes of it; one that found nothing was not.
        """
        thread, began = threading.get_ident(), time.monotonic()

        def holding(lanes: tuple[int, ...], events: int) -> None:
            with self._lock:
                self._in_hand[thread] = began, lanes, events

        try:
            yield holding
        finally:
            with self._lock:
                if self._in_hand.pop(thread, None):
                    self._busy += time.monotonic() - began

    def figures(self) -> Figures:
        """The counters now. Called once a heartbeat: the minute is counted in heartbeats."""
        with self._lock:
            now = time.monotonic()
            self._available += (now - self._history[-1].at) * self.slots
            busy = self._busy + sum(now - began for began, _, _ in self._in_hand.values())
            present = _Past(now, self._processed, busy, self._available, tuple(self._latency))
            self._history.append(present)
            while len(self._history) > 2 and now - self._history[1].at >= MINUTE:
                self._history.popleft()
            past = self._history[0]
            return Figures(
                processed=self._processed,
                failed=self._failed,
                busy_seconds=busy,
                available_seconds=self._available,
                minute_processed=self._processed - past.processed,
                minute_busy=busy - past.busy,
                minute_available=self._available - past.available,
                minute_seconds=now - past.at,
                minute_latency=[new - old for new, old in zip(present.latency, past.latency, strict=True)],
                batches=self._batches(now),
                idle_seconds=now - self.progressed,
            )

    def take_latencies(self) -> Latencies:
        """What was not yet written; `put_back` what could not be."""
        with self._lock:
            taken, self._unwritten = self._unwritten, {}
        return taken

    def put_back(self, latencies: Latencies) -> None:
        """Keep for the next heartbeat what this one did not write."""
        with self._lock:
            add(self._unwritten, latencies)

    def _batches(self, now: float) -> list[dict[str, Any]]:
        return [
            {"events": events, "lanes": lanes[:LANES_TOLD], "seconds": round(now - began, 3)}
            for began, lanes, events in self._in_hand.values()
        ]
