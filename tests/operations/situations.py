"""Situations that a rule is for, as rows and states from which a real scrape is made; and one in which all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from model_bakery import baker
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from events import stats
from events.conf import conf
from events.latency import BUCKETS
from events.models import Audit, Event, Latency, Tally, Worker
from health import sampler
from health.answers import Answer, Status
from tests.events.states import dead

QUICK, SLOW = 5, 13  # buckets of the histogram: up to 50 ms, up to 30 s
HEALTH = {"database": Answer(Status.OK, latency=0.001), "cache": Answer(Status.OK, latency=0.001)}
CACHE = {
    "backend": "redis",
    "mode": "redis",
    "scope": "all",
    "hits": 9_000,
    "misses": 1_000,
    "total_keys": 500,
    "memory_mb": 1.5,
    "journal_length": 3,
    "breaker": {"state": "closed", "outages": 0, "last_outage": None},
}

Scrape = list[Sample]


def scrape(client: Client) -> Scrape:
    """What Prometheus would read now."""
    stats.recent.forget()
    response = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert response.status_code == 200
    return [s for family in text_string_to_metric_families(response.content.decode()) for s in family.samples]


class Situation:
    """What changes between two scrapes ten minutes apart, and what health and the cache say at both."""

    def __init__(self) -> None:
        self.health = dict(HEALTH)
        self.cache: dict[str, Any] = dict(CACHE)
        self.database_answers = True

    def begin(self) -> None:
        """A worker at work on a log that is nearly empty."""
        now = timezone.now()
        busy: dict[str, Any] = {"minute_busy": 30.0, "minute_available": 60.0, "minute_seconds": 60}
        alive: dict[str, Any] = {"started_at": now, "heartbeat_at": now, "process_started": 0}
        latency = [0] * BUCKETS
        latency[QUICK] = 6_000
        baker.make(
            Worker,
            **alive,
            **busy,
            minute_processed=6_000,
            minute_latency=latency,
            busy_seconds=100.0,
            available_seconds=200.0,
        )
        baker.make(Tally, lane=1, processed=10_000, failed=10)
        baker.make(Latency, event_type="a", priority=2, bucket=QUICK, events=10_000, seconds=300)
        baker.make(Latency, event_type="b", priority=3, bucket=SLOW, events=1, seconds=20)
        baker.make(Event, priority=1)
        dead()

    def go_on(self) -> None:
        """Ten minutes of ordinary work."""
        Tally.objects.update(processed=70_000, failed=20)
        Latency.objects.filter(bucket=QUICK).update(events=70_000, seconds=2_100)
        self.cache |= {"hits": 99_000, "misses": 11_000}


def no_worker(s: Situation) -> None:
    Worker.objects.update(stopped_at=timezone.now())


def worker_stalled(s: Situation) -> None:
    Worker.objects.update(idle_seconds=40)
    baker.make(Event, received_at=timezone.now() - timedelta(seconds=40))


def lane_fails(s: Situation) -> None:
    Worker.objects.update(failing_lanes=[{"lane": 3, "times": 40, "seconds": 200.0, "error": "lock timeout"}])


def log_faults(s: Situation) -> None:
    Audit.objects.create(pk=Audit.ONLY, faults=1)


def workers_die(s: Situation) -> None:
    now = timezone.now()
    baker.make(Worker, started_at=now, heartbeat_at=now, died_at=now, process_started=0)


def backpressure(s: Situation) -> None:
    baker.make(Event, _quantity=int(0.8 * conf.queue_capacity), _bulk_create=True)


def events_wait(s: Situation) -> None:
    baker.make(Event, priority=0, received_at=timezone.now() - timedelta(minutes=6))


def urgent_events_slow(s: Situation) -> None:
    Latency.objects.filter(bucket=SLOW).update(events=5_000, seconds=100_000)


def workers_full(s: Situation) -> None:
    Worker.objects.update(minute_busy=59.0)


def attempts_fail(s: Situation) -> None:
    Tally.objects.update(failed=20_000)


def dead_letters(s: Situation) -> None:
    for _ in range(3):
        dead()


def dependency_fails(s: Situation) -> None:
    s.health["cache"] = Answer(Status.FAIL, "cache: TimeoutError")


def figures_missing(s: Situation) -> None:
    s.database_answers = False


def cache_fallback(s: Situation) -> None:
    s.cache |= {"mode": "memory", "scope": "process", "hits": 3, "misses": 4}


def cache_misses(s: Situation) -> None:
    s.cache |= {"hits": 19_000, "misses": 31_000}


def invalidations_wait(s: Situation) -> None:
    s.cache |= {"journal_length": 20_000}


# The alert that each situation raises. RhizDown needs no figure of ours.
SITUATIONS: dict[str, Callable[[Situation], None]] = {
    "RhizFiguresMissing": figures_missing,
    "RhizDependencyFails": dependency_fails,
    "RhizNoWorker": no_worker,
    "RhizWorkerStalled": worker_stalled,
    "RhizLaneFails": lane_fails,
    "RhizLogFaults": log_faults,
    "RhizWorkersDie": workers_die,
    "RhizBackpressure": backpressure,
    "RhizEventsWaitLong": events_wait,
    "RhizUrgentEventsSlow": urgent_events_slow,
    "RhizWorkersFull": workers_full,
    "RhizAttemptsFail": attempts_fail,
    "RhizDeadLetters": dead_letters,
    "RhizCacheFallback": cache_fallback,
    "RhizCacheMisses": cache_misses,
    "RhizInvalidationsWait": invalidations_wait,
}


def scrapes(client: Client, happens: Callable[[Situation], None] | None = None) -> tuple[Scrape, Scrape]:
    """Two scrapes ten minutes apart, between which `happens` happened, or nothing."""
    situation = Situation()
    situation.begin()
    with _told(situation):
        before = scrape(client)
        situation.go_on()
        if happens:
            happens(situation)
        with _told(situation):
            return before, scrape(client)


@contextmanager
def _told(situation: Situation) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(patch.object(sampler, "read", lambda: situation.health))
        stack.enter_context(patch("cachecore.status.read", lambda: situation.cache))
        if not situation.database_answers:
            stack.enter_context(patch.object(stats.recent, "_ask", _fail))
        yield


def _fail() -> stats.Figures:
    raise OperationalError("connection refused")
