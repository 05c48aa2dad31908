"""One dependency under watch: a thread that asks, one question in flight, and the last answers in memory."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from time import monotonic

from django.db import connections

from health.answers import Answer, Status
from health.connections import own
from health.registry import Check

logger = logging.getLogger(__name__)

OK = Answer(Status.OK)


class Watch:
    """A question that does not come back is left alone: its age alone makes the dependency fail.

    Nobody tries to cancel what might not let itself be cancelled; what it says when it comes back counts.
    """

    def __init__(self, check: Check) -> None:
        self.check = check
        self._stop = threading.Event()
        self._asked_at: float | None = None  # monotonic seconds, while a question is under way
        self._known: tuple[float, Answer] | None = None  # when it came, and what is believed since
        self._doubted: Answer | None = None  # worse than what is believed, and heard once
        self._failing = False  # that it fails was logged: one line an outage, not one a second

    def start(self) -> None:
        """Ask from now on, in a thread of its own."""
        threading.Thread(target=self._run, name=f"health-{self.check.name}", daemon=True).start()

    def stop(self) -> None:
        """Ask no more; a question under way is left to end with the process."""
        self._stop.set()

    def read(self) -> Answer:
        """What is known now, from memory."""
        asked_at, known, now = self._asked_at, self._known, monotonic()
        if asked_at is not None and now - asked_at > self.check.limit:
            return replace(self._overdue(), age=now - asked_at)
        if known is None:
            return Answer(Status.STARTING, f"{self.check.name} has not been asked yet", hard=self.check.hard)
        return replace(known[1], age=now - known[0])

    def ask(self) -> Answer:
        """Put the question in this thread; an exception is an answer too."""
        self._asked_at = began = monotonic()
        try:
            answer = self.check.ask() or OK
            self._tell(failing=False)
        except Exception as error:
            self._tell(failing=True, error=repr(error))
            answer = Answer(Status.FAIL, f"{self.check.name} fails", {"error": type(error).__name__})
        answer = replace(answer, latency=monotonic() - began, age=0.0, hard=self.check.hard)
        self.note(answer)
        self._asked_at = None
        return answer

    def note(self, answer: Answer) -> None:
        """Two bad answers in a row turn it, one good answer turns it back; the first answer of all counts at once.

        Good is what is no worse than what is believed; of two bad answers that differ, the milder is believed.
        """
        if answer.latency is not None and answer.latency > self.check.limit:
            # `read` has said so since the limit: a bad answer now must not bring back what was believed before.
            self._believe(self._overdue())
        if self._known is None or not answer.worse_than(self._known[1]):
            self._believe(answer)
        elif self._doubted is None:
            self._doubted = answer
        else:
            self._believe(self._doubted if answer.worse_than(self._doubted) else answer)
            self._doubted = answer if answer.worse_than(self._known[1]) else None

    def _believe(self, answer: Answer) -> None:
        self._known = monotonic(), answer
        self._doubted = None

    def _overdue(self) -> Answer:
        return Answer(Status.FAIL, f"{self.check.name} does not answer", hard=self.check.hard)

    def _run(self) -> None:
        own()
        while not self._stop.is_set():
            if self.ask().status is Status.FAIL:
                # A connection that failed once is not trusted with the next question.
                connections.close_all()
            self._stop.wait(self.check.pause)
        connections.close_all()

    def _tell(self, *, failing: bool, **values: str) -> None:
        if failing and not self._failing:
            logger.warning("health check fails", extra={"check": self.check.name, **values})
        elif self._failing and not failing:
            logger.warning("health check answers again", extra={"check": self.check.name})
        self._failing = failing
