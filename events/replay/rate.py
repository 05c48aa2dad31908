"""A limit of events a second."""

from __future__ import annotations

import time
from collections.abc import Callable

TICKS = 20  # batches a second at the least: a slow replay should not come in gusts


class Rate:
    """Lets events pass at `per_second` on average; None lets them pass at once."""

    def __init__(
        self,
        per_second: float | None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second = per_second
        self._sleep = sleep
        self._clock = clock
        self._next = clock()

    def batch(self, largest: int) -> int:
        """How many events to send together, at most `largest`."""
        return largest if self.per_second is None else max(1, min(largest, int(self.per_second / TICKS)))

    def wait(self, events: int) -> None:
        """Pause until `events` more may be sent. Time lost elsewhere is not caught up with."""
        if self.per_second is None:
            return
        now = self._clock()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(self._next, now) + events / self.per_second
