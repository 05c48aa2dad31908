"""The watches of a process begin and end together."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import health
from health import sampler
from health import watch as watching
from health.answers import Status
from health.registry import checks

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture(autouse=True)
def _alone(registry: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No check but the test's, and threads that have ended when it does."""
    monkeypatch.setattr(watching, "own", lambda: None)
    checks.clear()
    yield
    sampler.stop()


def test_an_app_adds_a_check_in_a_few_lines() -> None:
    @health.check("mail", hard=True, limit=1.5)
    def mail() -> None:
        pass

    assert (checks["mail"].hard, checks["mail"].limit) == (True, 1.5)
    assert sampler.read()["mail"].hard
    assert mail.__name__ == "mail"


def test_a_name_is_taken_once() -> None:
    health.check("mail")(lambda: None)

    with pytest.raises(ValueError, match="a health check 'mail' already"):
        health.check("mail")(lambda: None)


def test_everything_is_starting_until_it_was_asked() -> None:
    health.check("mail")(lambda: None)

    assert sampler.read()["mail"].status is Status.STARTING


def test_started_twice_it_asks_once_and_stopped_it_knows_nothing() -> None:
    asked = threading.Semaphore(0)
    health.check("mail", pause=60.0)(asked.release)
    sampler.start()
    sampler.start()

    assert asked.acquire(timeout=5)
    assert not asked.acquire(timeout=0.1)
    sampler.stop()
    assert sampler.read()["mail"].status is Status.STARTING


def test_after_a_fork_the_child_asks_anew() -> None:
    asked = threading.Semaphore(0)
    health.check("mail", pause=60.0)(asked.release)
    sampler.start()
    assert asked.acquire(timeout=5)
    sampler._after_fork()

    assert asked.acquire(timeout=5)
    assert sampler.read()["mail"].status in (Status.OK, Status.STARTING)
