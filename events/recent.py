"""An answer kept for a moment: whoever asks meanwhile gets the same one, nobody waits for long, nothing piles up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, NamedTuple, TypeVar

from django.db import OperationalError, connections

T = TypeVar("T")

FRESH = 1.0  # seconds that an answer serves everyone
PATIENCE = 0.5  # seconds to wait for an answer
OLD = 10.0  # seconds after which an answer is told to nobody


class Kept(NamedTuple, Generic[T]):
    """An answer, and when it was asked for: seconds of the clock."""

    at: float
    answer: T


class Recent(Generic[T]):
    """Asks in a thread of its own, at most one question at a time: what hangs there hangs nobody else.

    With `in_thread` false whoever wants to know asks himself, in his own transaction.
    """

    def __init__(self, ask: Callable[[], T], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.in_thread = True
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()  # held for looking and starting only
        self._open: Future[T] | None = None
        self._kept: Kept[T] | None = None

    def read(self) -> T:
        """An answer of the last second; of the last ten, where a new one takes longer than half a second.

        Raises OperationalError where there is none, and whatever the question raises.
        """
        with self._lock:
            if (kept := self._younger_than(FRESH)) is not None:
                return kept.answer
            if self._open is None or self._open.done():
                self._open = self._begin()
            question = self._open
        try:
            return question.result(PATIENCE)
        except TimeoutError:
            if question.done():  # at the last moment
                return question.result()
            if (kept := self._younger_than(OLD)) is not None:
                return kept.answer
            raise OperationalError("the database has not answered a question that is still open") from None

    def forget(self) -> None:
        """Ask anew next time."""
        self._kept = None

    def _begin(self) -> Future[T]:
        question: Future[T] = Future()
        if self.in_thread:
            threading.Thread(target=self._answer_and_leave, args=(question,), name="figures", daemon=True).start()
        else:
            self._answer(question)
        return question

    def _answer_and_leave(self, question: Future[T]) -> None:
        try:
            self._answer(question)
        finally:
            connections.close_all()

    def _answer(self, question: Future[T]) -> None:
        began = self._clock()
        try:
            answer = self._ask()
        except BaseException as error:
            question.set_exception(error)
        else:
            self._kept = Kept(began, answer)
            question.set_result(answer)

    def _younger_than(self, seconds: float) -> Kept[T] | None:
        kept = self._kept
        return kept if kept is not None and self._clock() - kept.at < seconds else None
