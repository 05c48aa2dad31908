"""Floors: ids below which nothing of a priority is ready, so that reads need not step over what is done.

An index keeps an entry for every state a row was in until vacuum removes it, and vacuum removes none that some open
transaction (a report, a dump, an idle session) may still look at. Entries of events that are done then pile up at
the head of the ready index, and a read without floors walks over all of them: 3 -> 53 ms in 45 s at 1,000 events/s.

A floor is used two seconds after it was seen, since an event's id is given before its transaction commits. For a
transaction that took longer, some steps go without floors.
"""

from __future__ import annotations

import time
from collections import deque

from django.db import connections

from events.log import dialect_of

DELAY = 2.0  # seconds from seeing a floor to using it
WITHOUT = 5.0  # seconds between two steps without floors, at least
SHARE = 500  # times as long as such a step took to find its events: it holds up no more than one event in so many
NONE = (0, 0, 0, 0)


class Floors:
    """The floors of one process, an id for each priority."""

    def __init__(self, *, using: str = "default") -> None:
        self.using = using
        self._seen: deque[tuple[float, tuple[int, ...]]] = deque()
        self._used: tuple[int, ...] = NONE
        self._without_at = 0.0
        self._pause = WITHOUT

    def current(self) -> tuple[int, ...]:
        """The floors for the next step; sometimes none, for the sake of events that committed late."""
        now = time.monotonic()
        if now >= self._without_at:
            self._without_at = now + self._pause
            return NONE
        while self._seen and now - self._seen[0][0] >= DELAY:
            self._used = self._seen.popleft()[1]
        return self._used

    def found_without(self, seconds: float) -> None:
        """A step without floors took so long to find its events."""
        self._pause = max(WITHOUT, SHARE * seconds)
        self._without_at = time.monotonic() + self._pause

    def look(self) -> None:
        """See where the floors are now, looking from the last ones up."""
        above = self._seen[-1][1] if self._seen else self._used
        found = dialect_of(self.using).floors(connections[self.using], above)
        self._seen.append((time.monotonic(), tuple(found)))
