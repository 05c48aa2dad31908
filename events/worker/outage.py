"""A database that is away: one line when it goes, one when it is back, growing pauses between."""

from __future__ import annotations

import time

import structlog

logger = structlog.stdlib.get_logger(__name__)

FIRST_PAUSE = 0.05  # seconds
LONGEST_PAUSE = 5.0
REMINDER = 30.0  # seconds between lines while it stays away


class Outage:
    """What a process knows of its database being away. Calls come from one thread."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._pause = FIRST_PAUSE
        self._told = 0.0

    def begins_or_goes_on(self, error: BaseException) -> float:
        """Note a failure; seconds to wait before the next try."""
        now = time.monotonic()
        if self.since is None:
            self.since = now
            self._pause = FIRST_PAUSE
        elif now - self._told < REMINDER:
            return self._next()
        self._told = now
        reason = " ".join(str(error).split()) or type(error).__name__
        logger.warning("database away, trying again", seconds=round(now - self.since), error=reason[:300])
        return self._next()

    def is_over(self) -> None:
        """Note a success."""
        if self.since is not None:
            logger.warning("database back", seconds=round(time.monotonic() - self.since, 1))
            self.since = None

    def _next(self) -> float:
        pause = self._pause
        self._pause = min(LONGEST_PAUSE, pause * 2)
        return pause
