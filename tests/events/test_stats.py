"""Figures are what the database says, not what a process remembers."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.utils import timezone
from model_bakery import baker
from pytest_django import Settings

from events.lanes import did_key, lane_of
from events.latency import BUCKETS, by_bucket
from events.models import Event, Lane, Pending, Worker
from events.stats import drain_rate, pending_count, pipeline_metrics
from events.worker.pruner import Pruner
from tests.events.states import dead, done, pending

pytestmark = pytest.mark.django_db


def worker(**fields: Any) -> Worker:
    now = timezone.now()
    known = {"started_at": now, "heartbeat_at": now, "process_started": 0}
    return baker.make(Worker, **{**known, **fields})


def test_utilization_is_busy_time_over_available_time_and_not_the_queue_over_the_workers() -> None:
    baker.make(Event, _quantity=30)
    worker(minute_busy=150.0, minute_available=600.0, minute_seconds=60, minute_processed=1200)
    worker(minute_busy=450.0, minute_available=600.0, minute_seconds=60, minute_processed=1800)
    metrics = pipeline_metrics()
    assert metrics["worker_utilization"] == 0.5
    assert metrics["throughput_per_second"] == 50.0
    assert metrics["avg_processing_time_ms"] == 200.0
    assert drain_rate() == 50.0


def test_a_dead_worker_does_not_count_in_the_last_minute() -> None:
    worker(slots=1, minute_processed=7, minute_seconds=60, died_at=timezone.now())
    silent = timezone.now() - timedelta(hours=1)
    worker(slots=1, heartbeat_at=silent, minute_processed=5, minute_seconds=60)
    metrics = pipeline_metrics()
    assert metrics["throughput_per_second"] == 0.0
    assert metrics["workers_died_recently"] == 1
    assert metrics["workers"] == 0


def test_seconds_of_workers_whose_rows_are_deleted_go_on_counting() -> None:
    long_ago = timezone.now() - timedelta(hours=25)
    worker(busy_seconds=2.0, available_seconds=10.0)
    worker(busy_seconds=3.0, available_seconds=20.0, stopped_at=long_ago)
    worker(busy_seconds=4.0, available_seconds=30.0, died_at=long_ago)
    before = pipeline_metrics()
    Pruner().prune()
    after = pipeline_metrics()
    assert Worker.objects.count() == 1
    assert (after["busy_seconds"], after["available_seconds"]) == (9.0, 60.0)
    assert (before["busy_seconds"], before["available_seconds"]) == (9.0, 60.0)
    assert Worker.objects.ended_long_ago().forget() == 0


def test_quantiles_are_of_the_last_minute_of_the_workers_alive() -> None:
    quick, slow = by_bucket({("a", 1, 3): (99, 0)}), by_bucket({("a", 1, 10): (1, 0)})
    worker(minute_latency=quick)
    worker(minute_latency=slow)
    worker(minute_latency=[1000] * BUCKETS, died_at=timezone.now())
    told = pipeline_metrics()["latency_ms"]
    assert 5 < told["p50"] < told["p95"] < told["p99"] <= 10


def test_depth_is_told_by_priority_with_the_age_of_the_oldest() -> None:
    moment = timezone.now() - timedelta(seconds=90)
    later = timezone.now() + timedelta(seconds=90)
    baker.make(Event, _quantity=3, priority=2, received_at=moment)
    baker.make(Event, _quantity=2, priority=0)
    pending(available_at=later)
    dead()
    done(received_at=moment - timedelta(days=1))
    metrics = pipeline_metrics()
    assert metrics["ready_by_priority"] == {"low": 2, "normal": 0, "high": 3, "critical": 0}
    assert metrics["oldest_ready_seconds"]["high"] == pytest.approx(90, abs=5)
    assert metrics["oldest_ready_seconds"]["low"] == pytest.approx(0, abs=5)
    assert metrics["oldest_ready_seconds"]["critical"] is None
    assert (metrics["events_in_queue"], metrics["waiting"], metrics["dead_letters"]) == (6, 1, 1)


def test_urgent_events_are_counted_behind_more_others_than_the_capacity(settings: Settings) -> None:
    """One limit for all priorities, the lowest first, hid them when it mattered."""
    settings.EVENT_QUEUE_CAPACITY = 2
    baker.make(Event, priority=0, _quantity=6)
    pending(priority=3)
    assert pipeline_metrics()["ready_by_priority"] == {"low": 3, "normal": 0, "high": 0, "critical": 1}


@pytest.mark.parametrize("due", [False, True], ids=["ready", "due"])
def test_the_oldest_is_found_in_whatever_lane_behind_more_others_than_the_capacity(
    settings: Settings, due: bool
) -> None:
    settings.EVENT_QUEUE_CAPACITY = 2
    Lane.ensure()
    now = timezone.now()
    dids = sorted((f"did:plc:{n}" for n in range(12)), key=lambda did: lane_of(did_key(did), Lane.count()))
    for did, seconds in [(dids[-1], 90), *((did, 30) for did in dids)]:
        since = now - timedelta(seconds=seconds)
        pending(did=did, received_at=since, available_at=since if due else None)
    assert pipeline_metrics()["oldest_ready_seconds"]["normal"] == pytest.approx(90, abs=5)


def test_what_is_due_again_is_ready_and_waits_since_its_time_and_not_since_its_receipt() -> None:
    now = timezone.now()
    pending(priority=3, received_at=now - timedelta(days=40), available_at=now - timedelta(seconds=30))
    metrics = pipeline_metrics()
    assert metrics["ready_by_priority"]["critical"] == 1
    assert metrics["oldest_ready_seconds"]["critical"] == pytest.approx(30, abs=5)
    assert metrics["waiting"] == 0


def test_the_queue_is_all_that_is_pending_up_to_one_more_than_the_capacity(settings: Settings) -> None:
    now = timezone.now()
    for suspect, due, priority in product((False, True), (None, now, now + timedelta(hours=1)), (0, 3)):
        pending(suspect=suspect, available_at=due, priority=priority)
    dead(), done()
    assert pipeline_metrics()["events_in_queue"] == Pending.objects.count() == 12
    for capacity in (11, 2, 1):
        settings.EVENT_QUEUE_CAPACITY = capacity
        assert pipeline_metrics()["events_in_queue"] == capacity + 1


@pytest.mark.postgresql
def test_ready_events_are_counted_above_the_highest_low_watermark_that_a_live_worker_published() -> None:
    """The test puts the watermark where no worker would: an event below it is not counted."""
    below, _above = baker.make(Event, _quantity=2)
    worker(low_watermarks=[below.pk] * 4)
    assert pending_count() == pipeline_metrics()["events_in_queue"] == 1
    Worker.objects.update(died_at=timezone.now())
    assert pending_count() == pipeline_metrics()["events_in_queue"] == 2


@pytest.mark.parametrize(("idle", "age", "stalled"), [(60, 60, 1), (60, 5, 0), (5, 60, 0)])
def test_a_worker_without_progress_is_stalled_if_events_were_ready_all_the_time(
    idle: float, age: float, stalled: int
) -> None:
    baker.make(Event, received_at=timezone.now() - timedelta(seconds=age))
    worker(idle_seconds=idle)
    metrics = pipeline_metrics()
    assert metrics["workers_stalled"] == stalled
    assert metrics["each_worker"][0]["state"] == ("stalled" if stalled else "alive")


def test_backpressure_is_computed_from_what_is_there(settings: Settings) -> None:
    settings.EVENT_QUEUE_CAPACITY = 10
    baker.make(Event, _quantity=8)
    assert pipeline_metrics()["backpressure_active"] is True
    Pending.objects.filter(id=Event.objects.earliest("id").pk).delete()
    assert pipeline_metrics()["backpressure_active"] is False


def test_an_empty_log_has_figures_too() -> None:
    assert list(pipeline_metrics())[:7] == [
        "events_processed",
        "events_failed",
        "events_in_queue",
        "avg_processing_time_ms",
        "throughput_per_second",
        "worker_utilization",
        "backpressure_active",
    ]


def test_counting_stops_at_the_limit() -> None:
    baker.make(Event, _quantity=5)
    assert pending_count(3) == 3
    assert pending_count(100) == 5
