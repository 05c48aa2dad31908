"""Readiness for every state of what it depends on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from model_bakery import baker

from cachecore import reach, status
from events import stats
from events.conf import conf
from events.models import Event, Worker
from health import checks, connections, draining
from health.watch import Watch
from tests.health.conftest import Clock

DATABASE = ("up", "down", "hung", "unmigrated")
REDIS = ("up", "down", "hung")
WORKERS = ("0", "1", "stalled")
STATES = list(product(DATABASE, REDIS, WORKERS, (False, True), (False, True)))
REASONS = {
    "down": "database fails",
    "hung": "database does not answer",
    "unmigrated": "migrations are not applied",
    "0": "no worker is alive",
    "stalled": "a worker is stalled: events are ready and it makes no progress",
}


class Questions:
    """Asks every watch in a thread of its own where it hangs, else here."""

    def __init__(self, watches: dict[str, Watch], clock: Clock) -> None:
        self._watches = watches
        self._clock = clock
        self._release = threading.Event()
        self._threads: list[threading.Thread] = []
        self._hung = threading.Semaphore(0)

    def hang(self, *_: object) -> Any:
        self._hung.release()
        self._release.wait(10)
        raise OperationalError("cut")

    def ask(self, *, hanging: frozenset[str]) -> None:
        """Twice, so that what is bad is believed; then the limit of what hangs passes."""
        for name, watch in self._watches.items():
            if name not in hanging:
                watch.ask()
                watch.ask()
                continue
            self._threads.append(threading.Thread(target=watch.ask))
            self._threads[-1].start()
            assert self._hung.acquire(timeout=5)
        self._clock.now += 2.1

    def end(self) -> None:
        self._release.set()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def questions(watches: dict[str, Watch], clock: Clock) -> Iterator[Questions]:
    made = Questions(watches, clock)
    yield made
    made.end()


def _refuse(*_: object) -> Any:
    raise OperationalError("connection refused")


def _database(state: str, questions: Questions, monkeypatch: pytest.MonkeyPatch) -> None:
    if state in ("down", "hung"):
        monkeypatch.setattr(connections, "figures", _refuse if state == "down" else questions.hang)
        monkeypatch.setattr(stats, "figures", _refuse if state == "down" else questions.hang)
    monkeypatch.setattr(checks, "_migrated", False)
    waiting = [object()] if state == "unmigrated" else []
    monkeypatch.setattr("health.checks.MigrationExecutor.migration_plan", lambda self, targets: waiting)


def _redis(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = {"state": "closed" if state == "up" else "open", "last_outage": {"down": "refused", "hung": "timeout"}}
    told = {"backend": "redis", "mode": "redis" if state == "up" else "memory", "breaker": breaker}
    monkeypatch.setattr(status, "read", lambda: told)
    monkeypatch.setattr(reach, "answers", lambda: state == "up")


def _workers(state: str) -> None:
    if state == "0":
        return
    idle = conf.batch_timeout + 1 if state == "stalled" else 0.0
    now = timezone.now()
    baker.make(Worker, started_at=now, heartbeat_at=now, stopped_at=None, died_at=None, idle_seconds=idle)
    if state == "stalled":
        received = now - timedelta(seconds=2 * conf.batch_timeout)
        baker.make(Event, did="did:plc:old", received_at=received)


@pytest.mark.django_db
@pytest.mark.parametrize(("database", "redis", "workers", "backpressure", "is_draining"), STATES)
def test_readiness(
    database: str,
    redis: str,
    workers: str,
    backpressure: bool,
    is_draining: bool,
    client: Client,
    questions: Questions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _database(database, questions, monkeypatch)
    _redis(redis, monkeypatch)
    _workers(workers)
    monkeypatch.setattr(stats, "backpressure", lambda pending: backpressure)
    monkeypatch.setattr(draining, "active", lambda: is_draining)
    reads = database in ("up", "unmigrated")
    questions.ask(hanging=frozenset({"database", "event_pipeline"}) if database == "hung" else frozenset())
    response = client.get("/health/ready")

    well = redis == "up" and workers == "1" and not backpressure
    serving = database == "up" and not is_draining
    expected = "draining" if is_draining else "not_ready" if not serving else "ready" if well else "degraded"
    told = response.json()
    assert (response.status_code, told["status"]) == (200 if serving else 503, expected)
    assert told["dependencies"]["database"]["status"] == ("ok" if database == "up" else "fail")
    assert told["dependencies"]["cache"]["status"] == ("ok" if redis == "up" else "degraded")
    reasons = "; ".join(told["reasons"])
    assert ("Redis can't be reached" in reasons) == (redis != "up")
    for state, reason in REASONS.items():
        assert (reason in reasons) == (state == database or (state == workers and reads)), reasons
    assert ("backpressure is active" in reasons) == (backpressure and reads)
    assert client.get("/health/detailed").status_code == 200
    assert client.get("/health").status_code == 200


@pytest.mark.django_db
def test_before_the_first_answers_it_is_starting(client: Client, watches: dict[str, Watch]) -> None:
    response = client.get("/health/ready")

    assert (response.status_code, response.json()["status"]) == (503, "starting")


@pytest.mark.django_db
def test_one_bad_answer_turns_nothing(
    client: Client, asked: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked()
    monkeypatch.setattr(connections, "figures", _refuse)
    asked()
    assert client.get("/health/ready").status_code == 200
    asked()
    assert client.get("/health/ready").status_code == 503
