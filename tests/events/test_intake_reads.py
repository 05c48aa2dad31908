"""What can be asked of the pipeline: metrics, one event."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from events import stats
from events.models import Event

pytestmark = pytest.mark.django_db

SEVEN = {
    "events_processed",
    "events_failed",
    "events_in_queue",
    "avg_processing_time_ms",
    "throughput_per_second",
    "worker_utilization",
    "backpressure_active",
}


def test_metrics_have_the_seven_fields(api: APIClient) -> None:
    Event.objects.create(event_type="test.record", did="did:plc:a")
    response = api.get("/internal/events/metrics")
    assert response.status_code == 200
    assert response.json().keys() >= SEVEN
    assert response.json()["events_in_queue"] == 1
    assert response["Cache-Control"] == "no-store"


def test_an_event_tells_its_state_attempts_error_and_times(api: APIClient) -> None:
    moment = datetime(2026, 11, 1, 12, tzinfo=UTC)
    event = Event.objects.create(
        event_type="test.record",
        did="did:plc:a",
        state=Event.State.DEAD,
        attempts=4,
        last_error="ValueError: no",
        received_at=moment,
        finished_at=moment,
    )
    told = api.get(f"/internal/events/{event.event_id}").json()
    assert told["event_id"] == str(event.event_id)
    assert (told["state"], told["attempts"], told["error"]) == ("dead", 4, "ValueError: no")
    assert told["received_at"] == told["finished_at"] == "2026-11-01T12:00:00Z"


@pytest.mark.parametrize("name", ["pending", "done", "discarded"])
def test_states_have_names(api: APIClient, name: str) -> None:
    event = Event.objects.create(event_type="test.record", did="did:plc:a", state=Event.State[name.upper()])
    told = api.get(f"/internal/events/{event.event_id}").json()
    assert (told["state"], told["error"]) == (name, None)


def test_an_event_that_is_not_there_is_404(api: APIClient) -> None:
    response = api.get(f"/internal/events/{uuid4()}")
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def test_another_method_is_405(api: APIClient) -> None:
    response = api.get("/internal/events")
    assert (response.status_code, response["Content-Type"]) == (405, "application/problem+json")
    assert "POST" in response["Allow"]


def test_a_database_that_is_away_is_503(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dict[str, object]:
        raise OperationalError("connection refused")

    monkeypatch.setattr(stats.recent, "_ask", fail)
    response = api.get("/internal/events/metrics")
    assert (response.status_code, response["Content-Type"]) == (503, "application/problem+json")
    assert int(response["Retry-After"]) > 0
