"""Questions that never pile up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError

from events import recent
from events.recent import FRESH, OLD, Recent


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Question:
    """Answers 1, 2, 3; while `open` is clear, not yet."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun, self.open = threading.Event(), threading.Event()
        self.open.set()

    def __call__(self) -> int:
        self.asked += 1
        self.begun.set()
        assert self.open.wait(20)
        return self.asked


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_answer_serves_everyone_for_a_second(clock: Clock) -> None:
    question = Question()
    answers = Recent(question, clock=clock)
    assert [answers.read(), answers.read()] == [1, 1]
    clock.now += FRESH
    assert answers.read() == 2


def test_many_who_ask_at_once_get_one_answer(clock: Clock) -> None:
    question = Question()
    answers = Recent(question, clock=clock)
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: answers.read(), range(100))) == {1}
    assert question.asked == 1


def test_while_a_question_hangs_everyone_gets_the_former_answer_and_then_none(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "PATIENCE", 0.01)
    question = Question()
    answers = Recent(question, clock=clock)
    answers.read()
    question.open.clear()
    question.begun.clear()
    clock.now += FRESH
    try:
        assert [answers.read(), answers.read()] == [1, 1]
        assert question.begun.wait(20)
        clock.now += OLD
        for _ in range(3):
            with pytest.raises(OperationalError, match="still open"):
                answers.read()
        assert question.asked == 2
    finally:
        question.open.set()
    monkeypatch.setattr(recent, "PATIENCE", 20)
    assert answers.read() in (2, 3)


def test_a_question_that_fails_fails_for_who_asked_and_is_asked_anew(clock: Clock) -> None:
    outcomes = iter([OperationalError("gone"), None])

    def ask() -> int:
        if error := next(outcomes):
            raise error
        return 7

    answers = Recent(ask, clock=clock)
    with pytest.raises(OperationalError, match="gone"):
        answers.read()
    assert answers.read() == 7
