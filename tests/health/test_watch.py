"""Answers are believed, doubted and replaced as promised; reading them never waits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from health import watch as watching
from health.answers import Answer, Status
from health.registry import Check
from health.watch import Watch
from tests.health.conftest import Clock

GOOD = Answer(Status.OK)
MILD = Answer(Status.DEGRADED, "mild")
BAD = Answer(Status.FAIL, "bad")


def broken() -> Answer:
    raise OSError("no route to 10.0.0.1")


@pytest.fixture
def watch() -> Watch:
    return Watch(Check("thing", lambda: GOOD, limit=2.0))


def test_before_the_first_answer_it_is_starting(watch: Watch) -> None:
    assert watch.read().status is Status.STARTING


@pytest.mark.parametrize(
    ("heard", "believed"),
    [
        ((GOOD, BAD, GOOD, BAD, BAD, GOOD), "ok ok ok ok fail ok"),
        ((BAD, GOOD), "fail ok"),
        ((GOOD, MILD, MILD, GOOD), "ok ok degraded ok"),
        ((GOOD, MILD, BAD, BAD), "ok ok degraded fail"),
        ((GOOD, BAD, MILD, BAD), "ok ok degraded degraded"),
        ((MILD, BAD, BAD, MILD), "degraded degraded fail degraded"),
    ],
)
def test_two_bad_answers_in_a_row_turn_it_and_one_good_turns_it_back(
    watch: Watch, heard: tuple[Answer, ...], believed: str
) -> None:
    seen = []
    for answer in heard:
        watch.note(answer)
        seen.append(watch.read().status.value)

    assert " ".join(seen) == believed


def test_an_exception_is_an_answer_that_names_no_host_to_strangers() -> None:
    answer = Watch(Check("thing", broken)).ask()

    assert (answer.status, answer.reason) == (Status.FAIL, "thing fails")
    assert answer.figures == {"error": "OSError"}


def test_a_check_that_returns_nothing_is_well() -> None:
    assert Watch(Check("thing", lambda: None)).ask().status is Status.OK


def test_an_outage_is_two_lines_however_long_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    well = [True, False, False, False, True, True]
    flaky = Watch(Check("thing", lambda: GOOD if well.pop(0) else broken()))
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            flaky.ask()

    assert [record.message for record in caplog.records] == ["health check fails", "health check answers again"]


class Hung:
    """A watch whose second question hangs until it is released; then it returns, or raises."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.well = True
        self._release, self._under_way = threading.Event(), threading.Event()
        self.watch = Watch(Check("thing", self._question, limit=2.0))
        self.watch.ask()
        self._thread = threading.Thread(target=self.watch.ask)
        self._thread.start()
        self._under_way.wait(5)

    def release(self) -> None:
        self._release.set()
        self._thread.join(5)

    def _question(self) -> Answer:
        if threading.current_thread() is not threading.main_thread():
            self._under_way.set()
            self._release.wait(5)
            if not self.well:
                raise OSError("cut")
        return GOOD


@pytest.fixture
def hung(clock: Clock) -> Iterator[Hung]:
    made = Hung(clock)
    yield made
    made.release()


def test_a_question_that_does_not_come_back_fails_after_its_limit(hung: Hung) -> None:
    hung.clock.now += 2.0
    assert hung.watch.read().status is Status.OK

    hung.clock.now += 0.1
    answer = hung.watch.read()
    assert (answer.status, answer.reason) == (Status.FAIL, "thing does not answer")


def test_a_good_answer_turns_it_back_however_late_it_comes(hung: Hung) -> None:
    hung.clock.now += 60.0
    hung.release()

    assert hung.watch.read().status is Status.OK


def test_a_bad_answer_that_comes_late_does_not_bring_back_what_was_believed_before(hung: Hung) -> None:
    hung.clock.now += 60.0
    hung.well = False
    hung.release()

    assert hung.watch.read().status is Status.FAIL


def test_one_question_is_in_flight_and_reading_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    # The question touches no database, so its thread needs no connection of its own.
    monkeypatch.setattr(watching, "own", lambda: None)
    release, asked = threading.Event(), threading.Semaphore(0)

    def question() -> None:
        asked.release()
        release.wait(10)

    busy = Watch(Check("thing", question, limit=0.05, pause=0.0))
    before = set(threading.enumerate())
    busy.start()
    assert asked.acquire(timeout=5)
    began = time.monotonic()
    while busy.read().status is not Status.FAIL:
        assert time.monotonic() - began < 5
    began = time.monotonic()
    for _ in range(1_000):
        busy.read()
    assert time.monotonic() - began < 5
    assert not asked.acquire(timeout=0.2)
    # Threads of earlier tests may end meanwhile.
    assert len(set(threading.enumerate()) - before) == 1
    busy.stop()
    release.set()
