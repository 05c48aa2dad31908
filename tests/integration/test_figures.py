"""Figures against the log itself, with real workers: killed ones, busy ones, idle ones."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

import pytest
from django.db.models import Sum

from events import stats
from events.models import Event, Latency, Pending, Worker
from tests.integration.conftest import WorkerProcess, append, event, eventually, none_pending

Start = Callable[..., WorkerProcess]


def log_says() -> tuple[int, int]:
    """Events done, and failed attempts: every attempt that did not end its event well."""
    events = Event.objects.with_state()
    done = events.filter(state=Event.State.DONE).count()
    return done, events.aggregate(all=Sum("attempts"))["all"] - done


def figures() -> tuple[int, int]:
    now = stats.figures()
    return now.processed, now.failed


def test_counters_are_those_of_the_log_whatever_workers_are_killed(start: Start) -> None:
    chance = random.Random(4)
    deeds = ["fail", "refuse", "fail-at-first", "none", "none", "none"]
    append(
        [event(n, f"did:plc:{n}", do=chance.choice(deeds), priority=n % 4) for n in range(600)]
        + [event(n, f"did:plc:slow{n % 50}", do="sleep", seconds=0.002) for n in range(900)]
    )
    for least in (50, 200, 500, 800):
        worker = start("--workers", "3", EVENT_BATCH_SIZE="20")
        eventually(lambda least=least: figures()[0] >= least)  # type: ignore[misc]
        worker.kill()
        eventually(lambda: figures() == log_says())  # the server may still be ending what it was told to commit
    start("--drain", EVENT_MAX_RETRIES="1").wait(60)
    done, failed = log_says()
    assert done > 1000 and failed > 100
    assert figures() == (done, failed)
    assert none_pending()


def test_latencies_of_a_worker_that_ends_in_peace_are_those_of_all_its_events(start: Start) -> None:
    append([event(n, f"did:plc:{n % 7}", priority=n % 4) for n in range(400)])
    start("--drain").wait()
    counted = Latency.objects.values("priority").annotate(events=Sum("events"), seconds=Sum("seconds"))
    for row in counted:
        events = Event.objects.with_state().filter(priority=row["priority"], state=Event.State.DONE)
        assert row["events"] == events.count() == 100
        waited = sum((e.finished_at - e.received_at).total_seconds() for e in events)
        assert row["seconds"] == pytest.approx(waited, rel=0.1, abs=0.5)
    assert len(counted) == 4


def test_utilization_is_near_one_on_a_full_log_and_near_zero_on_an_empty_one(start: Start) -> None:
    append([event(n, f"did:plc:{n % 64}", do="sleep", seconds=0.01) for n in range(2000)])
    worker = start("--workers", "1", EVENT_BATCH_SIZE="10")
    eventually(lambda: minute_is(3), within=30)
    assert stats.figures().minute.utilization > 0.85
    assert not none_pending()
    worker.signal(signal.SIGTERM)
    worker.wait()
    Pending.objects.all().delete()
    start("--workers", "1")
    eventually(lambda: minute_is(3), within=30)
    assert stats.figures().minute.utilization < 0.05


def minute_is(seconds: float) -> bool:
    """Whether the worker alive has been so for so long, by its own heartbeat."""
    return Worker.objects.alive().filter(minute_seconds__gte=seconds).exists()


@pytest.mark.postgresql  # on SQLite nothing is written beside a step
def test_a_heartbeat_tells_what_is_in_hand(start: Start) -> None:
    append([event(1, do="sleep", seconds=3)])
    start()
    told = eventually(lambda: [w for w in stats.pipeline_metrics()["each_worker"] if w["batches"]])
    [batch] = told[0]["batches"]
    assert batch["events"] == 1 and len(batch["lanes"]) == 1
