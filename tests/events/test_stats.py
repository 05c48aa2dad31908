"""Figures are what the database says, not what a process remembers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from model_bakery import baker
from pytest_django import Settings

from events.models import Event, Worker
from events.stats import drain_rate, pending_count, pipeline_metrics, workers_alive

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


def test_a_dead_worker_counts_in_the_totals_and_not_in_the_last_minute() -> None:
    worker(slots=1, processed=7, failed=2, minute_processed=7, minute_seconds=60, died_at=timezone.now())
    silent = timezone.now() - timedelta(hours=1)
    worker(slots=1, processed=5, heartbeat_at=silent, minute_processed=5, minute_seconds=60)
    metrics = pipeline_metrics()
    assert (metrics["events_processed"], metrics["events_failed"]) == (12, 2)
    assert metrics["throughput_per_second"] == 0.0
    assert workers_alive() == 0


def test_backpressure_is_computed_from_what_is_there(settings: Settings) -> None:
    settings.EVENT_QUEUE_CAPACITY = 10
    baker.make(Event, _quantity=8)
    assert pipeline_metrics()["backpressure_active"] is True
    Event.objects.filter(pk=Event.objects.earliest("id").pk).update(state=Event.State.DONE)
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
