"""The tiers through Django: status line, headers, hosts, keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from model_bakery import baker
from pytest_django.fixtures import Settings

from events.models import Event, Worker
from health import sampler
from health.answers import LIVE, Answer, Status
from tests.events.states import dead

PIPELINE = {
    "events_processed",
    "events_failed",
    "events_in_queue",
    "avg_processing_time_ms",
    "throughput_per_second",
    "worker_utilization",
    "backpressure_active",
    "ready_by_priority",
    "oldest_ready_seconds",
    "latency_ms",
    "each_worker",
    "waiting",
    "dead_last_hour",
    "drain_eta_seconds",
}
PATHS = ["/health", "/livez", "/health/ready", "/readyz", "/health/detailed"]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what the sampler knows."""

    def know(**answers: Answer) -> None:
        known = {"database": Answer(Status.OK), **answers}
        known["database"] = replace(known["database"], hard=True)
        monkeypatch.setattr(sampler, "read", lambda: known)

    know()
    return know


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("path", PATHS)
def test_every_tier_answers_whatever_the_host_and_is_never_stored(
    client: Client, path: str, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["rhiz.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    for address in (path, f"{path}/"):
        response = client.get(address, headers={"host": "10.1.2.3:8000"})

        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        assert response["Content-Type"] == "application/json"


def test_other_paths_still_ask_for_the_host(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["rhiz.example.org"]

    assert client.get("/admin/login/", headers={"host": "10.1.2.3:8000"}).status_code == 400


def test_liveness_as_a_view_says_what_the_door_says(client: Client) -> None:
    assert client.get("/health").json() == LIVE


def test_a_dead_database_is_503_in_the_status_line(client: Client, known: Callable[..., None]) -> None:
    known(database=Answer(Status.FAIL, "gone"))

    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/detailed").status_code == 200
    assert client.get("/health").status_code == 200


def test_an_outage_is_not_logged_again_with_each_probe(
    client: Client, known: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    known(database=Answer(Status.FAIL, "gone"))
    client.get("/health/ready")

    assert caplog.records == []


def test_a_lost_redis_is_degraded_and_keeps_its_traffic(client: Client, known: Callable[..., None]) -> None:
    known(cache=Answer(Status.DEGRADED, "Redis can't be reached"))
    response = client.get("/readyz")

    assert (response.status_code, response.json()["status"]) == (200, "degraded")


@pytest.mark.parametrize("header", ["present", "former", "wrong", "none"])
def test_numbers_need_the_key_outside_debug(
    client: Client, known: Callable[..., None], settings: Settings, internal_key: str, header: str
) -> None:
    settings.DEBUG = False
    settings.INTERNAL_API_KEY_FALLBACKS = ["the-former-key"]
    known(database=Answer(Status.OK, figures={"vendor": "x"}))
    given = {"present": internal_key, "former": "the-former-key", "wrong": "wrong", "none": ""}[header]
    body = client.get("/health/detailed", headers={"x-internal-key": given}).json()

    assert ("vendor" in body["dependencies"]["database"]) == (header in ("present", "former"))


@pytest.mark.django_db
def test_a_real_database_without_a_worker_is_degraded(client: Client, asked: Callable[[], None]) -> None:
    asked()
    body = client.get("/health/ready").json()

    assert body["dependencies"]["database"] == {"status": "ok"}
    assert body["dependencies"]["cache"] == {"status": "ok"}
    assert body["reasons"] == ["no worker is alive"]


@pytest.mark.django_db
def test_detail_has_what_an_operator_asks_first(client: Client, asked: Callable[[], None], settings: Settings) -> None:
    settings.DEBUG = True
    asked()
    body = client.get("/health/detailed").json()
    told = body["dependencies"]

    assert {"status", "version", "environment", "uptime_seconds", "event_loop"} <= set(body)
    assert {"latency_ms", "vendor"} <= set(told["database"])
    assert {"mode", "breaker", "journal_length"} <= set(told["cache"])
    assert set(told["cache"]["stats"]) == {"hit_rate", "total_keys", "hits", "misses", "memory_mb"}
    assert set(told["event_pipeline"]) >= PIPELINE


@pytest.mark.django_db
@pytest.mark.postgresql
def test_detail_tells_what_the_database_server_bears(
    client: Client, asked: Callable[[], None], settings: Settings
) -> None:
    settings.DEBUG = True
    asked()
    database = client.get("/health/detailed").json()["dependencies"]["database"]

    assert 1 <= database["open_connections"] <= database["max_connections"]
    assert "oldest_transaction_seconds" in database


@pytest.mark.django_db
def test_the_dead_of_the_last_hour_are_told_apart_from_older_ones(
    client: Client, asked: Callable[[], None], settings: Settings
) -> None:
    settings.DEBUG = True
    for hours in (0.5, 0.9, 1.5):
        dead(died_at=timezone.now() - timedelta(hours=hours))
    asked()
    pipeline = client.get("/health/detailed").json()["dependencies"]["event_pipeline"]

    assert (pipeline["dead_last_hour"], pipeline["dead_letters"]) == (2, 3)


@pytest.mark.django_db
def test_detail_says_when_the_log_will_be_empty(client: Client, asked: Callable[[], None], settings: Settings) -> None:
    settings.DEBUG = True
    now = timezone.now()
    baker.make(Event, _quantity=6)
    baker.make(Worker, started_at=now, heartbeat_at=now, minute_processed=120, minute_seconds=60.0)
    asked()

    assert client.get("/health/detailed").json()["dependencies"]["event_pipeline"]["drain_eta_seconds"] == 3.0
