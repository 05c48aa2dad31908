"""Asks each dependency in the background and remembers the last answer, so that no endpoint ever waits for one.

One thread a dependency, one question in flight. A question that does not come back is left alone: its age alone
makes the dependency fail, and nobody tries to cancel what might not let itself be cancelled.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from django.db import connections

from health.answers import Answer, Status
from health.checks import QUESTIONS

logger = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds between an answer and the next question
LIMIT = 2.0  # seconds after which a question counts as failed
_HARMLESS = frozenset({Status.OK, Status.DEGRADED})


class Watch:
    """One dependency: its question, its last answers, and the thread that asks."""

    def __init__(self, name: str, ask: Callable[[], Answer]) -> None:
        self._name = name
        self._ask = ask
        self._stop = threading.Event()
        self._asked_at: float | None = None
        self._last: tuple[float, Answer] | None = None  # when it came (monotonic seconds) and what is believed since
        self._bad = 0  # bad answers in a row

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"health-{self._name}", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def read(self) -> Answer:
        """What is known now, from memory."""
        asked_at, last, now = self._asked_at, self._last, monotonic()
        if asked_at is not None and now - asked_at > LIMIT:
            return Answer(Status.FAIL, f"{self._name} has not answered for {now - asked_at:.0f} s", age=now - asked_at)
        if last is None:
            return Answer(Status.STARTING, f"{self._name} has not been asked yet")
        return replace(last[1], age=now - last[0])

    def note(self, answer: Answer) -> None:
        """Two bad answers in a row turn it, one good answer turns it back; the first answer of all counts at once."""
        self._bad = 0 if answer.status in _HARMLESS else self._bad + 1
        if self._bad != 1 or self._last is None:
            self._last = (monotonic(), answer)

    def _run(self) -> None:
        _own_connection()
        while not self._stop.is_set():
            self._asked_at = monotonic()
            answer = ask(self._name, self._ask)
            self.note(answer)
            self._asked_at = None
            if answer.status is Status.FAIL:
                # A connection that failed once is not trusted with the next question.
                connections.close_all()
            self._stop.wait(INTERVAL)
        connections.close_all()


def ask(name: str, question: Callable[[], Answer]) -> Answer:
    """Put one question in this thread; an exception is an answer too."""
    began = monotonic()
    try:
        answer = question()
        if name in _failing:
            _failing.discard(name)
            logger.info("health question answered again", extra={"dependency": name})
    except Exception as error:
        if name not in _failing:
            _failing.add(name)
            logger.warning("health question failed", extra={"dependency": name, "error": repr(error)})
        answer = Answer(Status.FAIL, f"{name}: {type(error).__name__}")
    return replace(answer, latency=monotonic() - began, age=0.0)


_watches: dict[str, Watch] = {}
_failing: set[str] = set()  # dependencies whose failure was logged: one line an outage, not one a second
_draining = threading.Event()


def start() -> None:
    """Begin to ask; further calls change nothing until `stop`."""
    if _watches and not _draining.is_set():
        return
    _draining.clear()
    _watches.update({name: Watch(name, question) for name, question in QUESTIONS.items()})
    for watch in _watches.values():
        watch.start()


def stop() -> None:
    """End asking. What is in flight is left to end with the process."""
    _draining.set()
    for watch in _watches.values():
        watch.stop()


def read() -> dict[str, Answer]:
    """Each dependency's answer: from memory, or asked here and now where no server started the sampling."""
    if _watches:
        return {name: watch.read() for name, watch in _watches.items()}
    return {name: ask(name, question) for name, question in QUESTIONS.items()}


def draining() -> bool:
    """Whether this process has begun to stop."""
    return _draining.is_set()


def _own_connection() -> None:
    """Give this thread a connection outside the pool: a pool used up by load must not look like a dead database."""
    own = connections["default"].copy()
    own.settings_dict.get("OPTIONS", {}).pop("pool", None)
    connections["default"] = own
