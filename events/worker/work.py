"""What one worker process has done: the figures of its heartbeat."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TypedDict

MINUTE = 60.0  # seconds


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


class Work:
    """Counts events and busy seconds; `figures` also gives the last minute of each.

    What is available is the time of the present crew: a step that would only slow the others is no spare one.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.crew = 1  # steps at once at present
        self.started = time.monotonic()
        self._lock = threading.Lock()
        self._processed = self._failed = 0
        self._busy = self._available = 0.0
        self._history: deque[tuple[float, int, float, float]] = deque([(self.started, 0, 0.0, 0.0)])

    def add(self, processed: int, failed: int, seconds: float) -> None:
        """Count one step."""
        with self._lock:
            self._processed += processed
            self._failed += failed
            self._busy += seconds

    def figures(self) -> Figures:
        """The counters now. Called once a heartbeat: the minute is counted in heartbeats."""
        now = time.monotonic()
        with self._lock:
            self._available += (now - self._history[-1][0]) * self.crew
            self._history.append((now, self._processed, self._busy, self._available))
            while len(self._history) > 2 and now - self._history[1][0] >= MINUTE:
                self._history.popleft()
            then, processed, busy, available = self._history[0]
            return Figures(
                processed=self._processed,
                failed=self._failed,
                busy_seconds=self._busy,
                available_seconds=self._available,
                minute_processed=self._processed - processed,
                minute_busy=self._busy - busy,
                minute_available=self._available - available,
                minute_seconds=now - then,
            )
