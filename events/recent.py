"""An answer kept for a moment: whoever asks meanwhile gets the same one, and questions never pile up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from django.db import OperationalError

T = TypeVar("T")

FRESH = 1.0  # seconds that an answer serves everyone
PATIENCE = 0.5  # seconds to wait for an answer that somebody else asks for
OLD = 10.0  # seconds after which an answer is told to nobody


class Kept(NamedTuple, Generic[T]):
    """An answer, and when it was asked for: seconds of the clock."""

    at: float
    answer: T


class Recent(Generic[T]):
    """Asks in the thread of the first who wants to know; at most one thread asks at a time."""

    def __init__(self, ask: Callable[[], T], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._asking = threading.Lock()
        self._kept: Kept[T] | None = None

    def read(self) -> T:
        """An answer of the last second; of the last ten, while a new one is awaited for longer than half a second.

        Raises OperationalError where there is none, and whatever the question raises.
        """
        if (kept := self._younger_than(FRESH)) is not None:
            return kept.answer
        if not self._asking.acquire(timeout=PATIENCE):
            if (kept := self._younger_than(OLD)) is not None:
                return kept.answer
            raise OperationalError("the database has not answered a question that is still open")
        try:
            if (kept := self._younger_than(FRESH)) is None:
                began = self._clock()
                kept = self._kept = Kept(began, self._ask())
            return kept.answer
        finally:
            self._asking.release()

    def forget(self) -> None:
        """Ask anew next time."""
        self._kept = None

    def _younger_than(self, seconds: float) -> Kept[T] | None:
        kept = self._kept
        return kept if kept is not None and self._clock() - kept.at < seconds else None
