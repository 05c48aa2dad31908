"""Samples are believed, doubted and replaced as promised; reading them never waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from health import sampler
from health.answers import Answer, Status
from health.sampler import Watch

GOOD = Answer(Status.OK)
BAD = Answer(Status.FAIL, "bad")


@pytest.fixture
def watch() -> Watch:
    return Watch("thing", lambda: GOOD)


def test_before_the_first_sample_it_is_starting(watch: Watch) -> None:
    assert watch.read().status is Status.STARTING


def test_two_bad_samples_in_a_row_turn_it_and_one_good_turns_it_back(watch: Watch) -> None:
    seen = []
    for answer in (GOOD, BAD, GOOD, BAD, BAD, GOOD):
        watch.note(answer)
        seen.append(watch.read().status.value)

    assert seen == ["ok", "ok", "ok", "ok", "fail", "ok"]


def test_a_bad_first_sample_counts_at_once(watch: Watch) -> None:
    watch.note(BAD)

    assert watch.read().status is Status.FAIL


def test_an_exception_is_an_answer() -> None:
    def broken() -> Answer:
        raise OSError("no route")

    assert sampler.ask("thing", broken).reason == "thing: OSError"


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A watch whose second question does not come back until the test ends."""
    monkeypatch.setattr(sampler, "INTERVAL", 0.01)
    monkeypatch.setattr(sampler, "LIMIT", 0.2)
    # The question touches no database, so its thread needs no connection either.
    monkeypatch.setattr(sampler, "_own_connection", lambda: None)
    release, asked = threading.Event(), threading.Event()

    def question() -> Answer:
        if asked.is_set():
            release.wait(10)
        asked.set()
        return GOOD

    made = Watch("thing", question)
    made.start()
    yield made
    made.stop()
    release.set()


def test_a_question_that_does_not_come_back_fails_after_its_limit(frozen: Watch) -> None:
    time.sleep(0.1)
    assert frozen.read().status is Status.OK

    time.sleep(0.3)
    began = time.monotonic()
    answer = frozen.read()

    assert time.monotonic() - began < 0.01
    assert answer.status is Status.FAIL
    assert answer.reason.startswith("thing has not answered for")
