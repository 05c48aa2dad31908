"""What can be asked of the pipeline: metrics, one event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from events import stats
from events.lanes import lane_of
from events.log.dead_letters import requeue
from events.models import Event, Lane
from tests.events import states

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
    states.pending()
    response = api.get("/internal/events/metrics")
    assert response.status_code == 200
    assert response.json().keys() >= SEVEN
    assert response.json()["events_in_queue"] == 1
    assert response["Cache-Control"] == "no-store"


MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
SENT: dict[str, Any] = {"event_type": "test.record", "did": "did:plc:a", "received_at": MOMENT}


def told(api: APIClient, event: Event) -> dict[str, Any]:
    response = api.get(f"/internal/events/{event.event_id}")
    assert response.status_code == 200
    content: dict[str, Any] = response.json()
    return content


def test_a_dead_event_tells_why_it_died_and_when(api: APIClient) -> None:
    letter = states.dead(**SENT, attempts=4, error="ValueError: no 7", reason="ValueError: no #", died_at=MOMENT)
    assert told(api, letter.event) == {
        "event_id": str(letter.event.event_id),
        "event_type": "test.record",
        "did": "did:plc:a",
        "lane": lane_of(letter.event.key, Lane.count()),
        "priority": 1,
        "state": "dead",
        "attempts": 4,
        "crashes": 0,
        "error": "ValueError: no 7",
        "reason": "ValueError: no #",
        "note": None,
        "worker": None,
        "request_id": None,
        "traceparent": None,
        "rev": None,
        "occurred_at": None,
        "received_at": "2026-11-01T12:00:00Z",
        "available_at": None,
        "finished_at": "2026-11-01T12:00:00Z",
        "failures": [],
    }


def test_a_done_event_tells_when_and_which_worker_applied_it(api: APIClient) -> None:
    content = told(api, states.done(**SENT, finished_at=MOMENT, worker="host:7"))
    assert (content["state"], content["attempts"], content["error"]) == ("done", 1, None)
    assert (content["worker"], content["finished_at"]) == ("host:7", "2026-11-01T12:00:00Z")


def test_a_pending_event_tells_from_when_it_may_be_applied(api: APIClient) -> None:
    ready, waits = states.pending(**SENT), states.pending(**SENT, available_at=MOMENT, attempts=2)
    assert (told(api, ready)["state"], told(api, ready)["available_at"]) == ("pending", None)
    assert (told(api, waits)["available_at"], told(api, waits)["attempts"]) == ("2026-11-01T12:00:00Z", 2)
    assert (told(api, ready)["worker"], told(api, ready)["finished_at"], told(api, ready)["note"]) == (None, None, None)


def test_a_discarded_event_tells_its_note_and_why_it_had_died(api: APIClient) -> None:
    letter = states.dead(**SENT, error="no", discarded_at=MOMENT, note="spam")
    content = told(api, letter.event)
    assert (content["state"], content["note"], content["error"]) == ("discarded", "spam", "no")
    assert content["finished_at"] == "2026-11-01T12:00:00Z"


def test_a_requeued_event_is_pending_again(api: APIClient) -> None:
    letter = states.dead(**SENT, error="no")
    requeue([letter.pk])
    content = told(api, letter.event)
    assert (content["state"], content["attempts"], content["finished_at"]) == ("pending", 0, None)
    assert content["available_at"] is not None


def test_an_event_that_is_in_no_table_is_told_as_unknown(api: APIClient) -> None:
    lost = states.pending(**SENT)
    states.pending_row(lost).delete()
    content = told(api, lost)
    assert (content["state"], content["attempts"], content["finished_at"]) == ("unknown", 0, None)


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
