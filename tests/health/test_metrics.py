"""`/metrics`: who may read it, in which form, and that it says what the JSON says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from model_bakery import baker
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from events import stats
from events.latency import BUCKETS
from events.models import Event, Latency, Tally, Worker
from health import sampler
from health.answers import Answer, Status
from tests.events.states import dead

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "read", lambda: {"database": Answer(Status.OK, latency=0.001)})


def samples(text: str, parse: Callable[..., Any] = openmetrics) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def scrape(client: Client, accept: str = OPENMETRICS) -> Samples:
    response = client.get("/metrics", headers={"accept": accept})
    assert response.status_code == 200
    return samples(response.content.decode(), openmetrics if accept == OPENMETRICS else plain)


def value(of: Samples, name: str, **labels: str) -> float:
    return of[f"rhiz_{name}", frozenset(labels.items())]


@pytest.fixture
def busy_log(db: None) -> None:
    """A log with something of everything."""
    baker.make(Tally, lane=1, processed=70, failed=4)
    baker.make(Tally, lane=2, processed=30, failed=1)
    baker.make(Event, _quantity=3, priority=2)
    dead()
    now = timezone.now()
    minute: dict[str, Any] = {"minute_busy": 6.0, "minute_available": 60.0, "minute_seconds": 60}
    latency = [0] * BUCKETS
    latency[3] = 1200
    started: dict[str, Any] = {"started_at": now, "heartbeat_at": now, "process_started": 0}
    baker.make(
        Worker,
        **started,
        **minute,
        minute_processed=1200,
        busy_seconds=7.5,
        available_seconds=70.0,
        minute_latency=latency,
    )
    baker.make(Latency, event_type="test.record", priority=2, bucket=3, events=60, seconds=0.5)
    baker.make(Latency, event_type="test.record", priority=2, bucket=5, events=40, seconds=1.5)


@pytest.mark.usefixtures("busy_log")
@pytest.mark.parametrize("accept", [OPENMETRICS, "text/plain", "*/*"])
def test_it_says_what_the_json_says(client: Client, api: APIClient, accept: str) -> None:
    told = scrape(client, accept)
    json = api.get("/internal/events/metrics").json()
    assert value(told, "events_processed_total") == json["events_processed"] == 100
    assert value(told, "events_failed_total") == json["events_failed"] == 5
    assert value(told, "events_in_queue") == json["events_in_queue"] == 3
    assert value(told, "event_processing_seconds") * 1000 == json["avg_processing_time_ms"] == 5.0
    assert value(told, "events_per_second") == json["throughput_per_second"] == 20.0
    assert value(told, "worker_utilization") == json["worker_utilization"] == 0.1
    assert value(told, "backpressure_active") == json["backpressure_active"] == 0
    assert value(told, "events_ready", priority="high") == json["ready_by_priority"]["high"] == 3
    assert value(told, "dead_letters") == json["dead_letters"] == 1
    assert value(told, "worker_busy_seconds_total") == json["busy_seconds"] == 7.5
    assert value(told, "workers", state="alive") == json["workers"] == 1
    recent = value(told, "event_latency_recent_seconds", quantile="0.99")
    assert recent * 1000 == pytest.approx(json["latency_ms"]["p99"], abs=0.001)


@pytest.mark.usefixtures("busy_log")
def test_the_histogram_is_cumulative_and_has_sum_and_count(client: Client) -> None:
    told = scrape(client)
    of = {"event_type": "test.record", "priority": "high"}
    buckets = [value(told, "event_latency_seconds_bucket", le=le, **of) for le in ("0.005", "0.01", "0.025", "0.05")]
    assert buckets == [0, 60, 60, 100]
    assert value(told, "event_latency_seconds_bucket", le="+Inf", **of) == 100
    assert value(told, "event_latency_seconds_count", **of) == 100
    assert value(told, "event_latency_seconds_sum", **of) == 2.0


@pytest.mark.django_db
def test_a_failing_database_takes_the_pipelines_figures_away_and_nothing_else(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> stats.Figures:
        raise OperationalError("connection refused")

    monkeypatch.setattr(stats.recent, "_ask", fail)
    monkeypatch.setattr(sampler, "read", lambda: {"database": Answer(Status.FAIL)})
    told = scrape(client)
    assert value(told, "figures_available") == 0
    assert value(told, "dependency_status", dependency="database", status="fail") == 1
    assert value(told, "cache_fallback") == 0
    assert not [name for name, _ in told if name.startswith("rhiz_events")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "forwarded", "status"),
    [
        ("127.0.0.1", "", 200),
        ("::ffff:127.0.0.1", "", 200),
        ("10.2.3.4", "", 200),
        ("11.2.3.4", "", 403),
        ("127.0.0.1", "11.2.3.4", 403),
        ("10.2.3.4", "127.0.0.1", 403),
        ("", "", 403),
    ],
)
def test_it_is_open_to_the_addresses_allowed_and_to_nobody_behind_a_proxy(
    client: Client, internal_key: str, settings: Settings, address: str, forwarded: str, status: int
) -> None:
    settings.METRICS_ALLOW = ["127.0.0.1", "::1", "10.0.0.0/8"]
    through = {"x-forwarded-for": forwarded} if forwarded else {}
    assert client.get("/metrics", headers=through, REMOTE_ADDR=address).status_code == status
    with_key = {**through, "x-internal-key": internal_key}
    assert client.get("/metrics", headers=with_key, REMOTE_ADDR=address).status_code == 200
    with_another = {**through, "x-internal-key": "another"}
    assert client.get("/metrics", headers=with_another, REMOTE_ADDR=address).status_code == status


@pytest.mark.django_db
def test_prometheus_asks_by_address_over_http(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["rhiz.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/metrics", headers={"host": "10.1.2.3:8000", "accept": OPENMETRICS})
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
