"""The questions that are put to dependencies, by name; each app registers its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from health.answers import Answer

LIMIT = 2.0  # seconds after which a question counts as failed
PAUSE = 0.5  # seconds between an answer and the next question

Question = Callable[[], Answer | None]
Q = TypeVar("Q", bound=Question)


@dataclass(frozen=True, slots=True)
class Check:
    """One dependency's question. It may raise or hang: the sampler bears both. None is as good as `Answer.OK`."""

    name: str
    ask: Question
    hard: bool = False  # without it no request can be served, so that readiness is 503
    limit: float = LIMIT
    pause: float = PAUSE


checks: dict[str, Check] = {}


def check(name: str, *, hard: bool = False, limit: float = LIMIT, pause: float = PAUSE) -> Callable[[Q], Q]:
    """Register the decorated question as `name`. Raises ValueError if the name is taken.

    It is asked in a thread and on a database connection of its own, `pause` seconds after the last answer; if the
    answer takes more than `limit` seconds, the dependency fails until it comes.
    """

    def register(ask: Q) -> Q:
        if name in checks:
            raise ValueError(f"there is a health check {name!r} already")
        checks[name] = Check(name, ask, hard, limit, pause)
        return ask

    return register
