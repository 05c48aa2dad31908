"""The tiers through Django: status line, headers, hosts, keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings as Settings

from health import checks, sampler
from health.answers import LIVE, Answer, Status

PATHS = ["/health", "/livez", "/health/ready", "/readyz", "/health/detailed"]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what the sampler knows."""

    def know(**answers: Answer) -> None:
        monkeypatch.setattr(sampler, "read", lambda: {"database": Answer(Status.OK), **answers})

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
def test_a_real_database_without_a_worker_is_degraded(client: Client) -> None:
    body = client.get("/health/ready").json()

    assert body["dependencies"]["database"] == {"status": "ok"}
    assert body["dependencies"]["cache"] == {"status": "ok"}
    assert body["reasons"] == ["no worker is alive"]


@pytest.mark.django_db
def test_detail_has_the_seven_figures_of_the_pipeline(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    pipeline = client.get("/health/detailed").json()["dependencies"]["event_pipeline"]

    assert {
        "events_processed",
        "events_failed",
        "events_in_queue",
        "avg_processing_time_ms",
        "throughput_per_second",
        "worker_utilization",
        "backpressure_active",
    } <= set(pipeline)


@pytest.mark.django_db
def test_unapplied_migrations_keep_traffic_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_migrated", False)
    monkeypatch.setattr("health.checks.MigrationExecutor.migration_plan", lambda self, targets: [object()])
    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["reasons"][0] == "1 migrations are not applied"


def test_a_database_that_refuses_keeps_traffic_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Answer:
        raise OperationalError("refused")

    monkeypatch.setattr(sampler, "QUESTIONS", {"database": refuse})

    assert client.get("/health/ready").status_code == 503
