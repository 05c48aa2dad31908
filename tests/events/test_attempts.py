"""Each failed attempt is kept beside its verdict, within bounds, as long as its event."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from events.log.complete import fail
from events.log.dead_letters import bury, discard, requeue
from events.models import Attempt, DeadLetter, Event, Pending
from events.models.attempt import TRACE_LENGTH
from events.worker.batch import Result
from events.worker.identity import worker_name
from events.worker.pruner import prune
from tests.events.conftest import found, state_of


def again() -> None:
    Pending.objects.update(available_at=timezone.now() - timedelta(seconds=1))


def test_each_failed_attempt_is_kept_with_where_and_when(
    send: Callable[..., UUID], take: Callable[..., Result]
) -> None:
    event_id = send(n=7, do="fail")
    for _ in range(4):
        take()
        again()
    assert state_of(event_id) is Event.State.DEAD
    kept = list(Attempt.objects.filter(event__event_id=event_id).order_by("id"))
    assert [attempt.number for attempt in kept] == [1, 2, 3, 4]
    assert {(a.kind, a.message, a.worker) for a in kept} == {("ValueError", "told to fail: 7", worker_name())}
    assert all("Traceback" in a.trace and len(a.trace) <= TRACE_LENGTH for a in kept)
    assert found(event_id).reason == "ValueError: told to fail: #"


def test_a_batch_of_failures_is_kept_together_with_those_that_succeed(
    send: Callable[..., UUID], take: Callable[..., Result]
) -> None:
    for n in range(20):
        send(f"did:plc:{n}", n, do="refuse" if n % 2 else "")
    take()
    assert Attempt.objects.count() == 10
    assert set(Attempt.objects.values_list("kind", "message", "trace")) == {("PermanentError", "told to refuse", "")}


def test_what_does_not_fail_costs_no_statement(send: Callable[..., UUID], take: Callable[..., Result]) -> None:
    send()
    with CaptureQueriesContext(connection) as queries:
        take()
    assert not [q for q in queries.captured_queries if "events_attempt" in q["sql"]]


def test_an_event_that_ended_meanwhile_keeps_no_attempt(send: Callable[..., UUID], take: Callable[..., Result]) -> None:
    event = Event.objects.get(event_id=send(do="fail"))
    assert bury([event.pk], discarded=True)
    failure = {"key": event.key, "id": event.pk, "wait": None, "text": "", "reason": "", "kind": "E"}
    assert fail(json.dumps([{**failure, "message": "", "trace": ""}]), "w") == 0
    assert not Attempt.objects.exists()


def test_only_the_newest_attempts_of_an_event_are_kept(send: Callable[..., UUID], take: Callable[..., Result]) -> None:
    send(do="refuse")
    for _ in range(20 + 3):
        take()
        requeue(DeadLetter.objects.values_list("pk", flat=True))
    assert Attempt.objects.count() == 20
    assert Attempt.objects.latest("id").pk - Attempt.objects.earliest("id").pk == 20 - 1


def test_attempts_go_with_their_event(send: Callable[..., UUID], take: Callable[..., Result]) -> None:
    send(do="refuse")
    take()
    discard(DeadLetter.objects.values_list("pk", flat=True), note="spam")
    DeadLetter.objects.update(discarded_at="2020-01-01T00:00:00Z")
    assert sum(prune(days=1)) == 1
    assert not Attempt.objects.exists()


def test_an_events_page_tells_its_failures(
    send: Callable[..., UUID], take: Callable[..., Result], api: APIClient
) -> None:
    event_id = send(do="refuse")
    take()
    told: dict[str, Any] = api.get(f"/internal/events/{event_id}").json()
    [failure] = told["failures"]
    assert (failure["attempt"], failure["type"], failure["message"]) == (1, "PermanentError", "told to refuse")
    assert failure["worker"] == worker_name() and failure["at"]
    assert told["reason"] == "told to refuse"


def test_a_payload_that_python_cannot_decode_is_dead_with_its_reason(
    api: APIClient, take: Callable[..., Result]
) -> None:
    body = '{"event_type":"test.record","did":"did:plc:a","payload":{"a":"\\ud800"}}'
    assert api.post("/internal/events", body, content_type="application/json").status_code == 202
    take()
    assert DeadLetter.objects.get().reason.startswith("payload: ")
