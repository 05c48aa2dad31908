"""How long a replay tries again when nobody answers."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_PAUSE = 0.5  # seconds; doubles with each failure in a row
LONGEST_PAUSE = 5.0  # seconds
PATIENCE = 120.0  # seconds without an answer, after which a replay gives up


class ReplayError(Exception):
    """The replay can't go on: nobody answers, or every request would be refused for the same reason."""


class Patience:
    """Pauses between tries, until there was no answer for too long."""

    def __init__(
        self, sleep: Callable[[float], object] = time.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._since: float | None = None
        self._pause = FIRST_PAUSE

    def answered(self) -> None:
        """There was an answer: begin anew."""
        self._since = None
        self._pause = FIRST_PAUSE

    def wait(self, error: Exception) -> None:
        """Pause before the next try. Raises ReplayError when there was no answer for PATIENCE seconds."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        if now - self._since > PATIENCE:
            raise ReplayError(f"no answer for {PATIENCE:.0f} s: {error or type(error).__name__}") from error
        self._sleep(self._pause)
        self._pause = min(LONGEST_PAUSE, self._pause * 2)
