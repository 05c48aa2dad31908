"""Appending: durable, idempotent by event_id, one row's trouble never another's."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from pytest_django import Settings

import events
from events import EnvelopeError
from events.envelope import parse
from events.exceptions import LaneCountError
from events.log.append import append_new
from events.models import Event, Lane
from tests.events.conftest import ALICE, BOB


def event(n: int = 1, **fields: Any) -> dict[str, Any]:
    return {"event_type": "test.record", "did": ALICE, "payload": {"n": n}, **fields}


@pytest.mark.django_db
def test_the_same_event_twice_is_a_duplicate() -> None:
    event_id = str(uuid.uuid4())
    assert [a.status for a in events.append([event(event_id=event_id)])] == ["enqueued"]
    assert [a.status for a in events.append([event(event_id=event_id)])] == ["duplicate"]
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_another_content_under_the_same_id_is_a_conflict() -> None:
    event_id = str(uuid.uuid4())
    events.append(event(1, event_id=event_id))
    assert events.append(event(2, event_id=event_id))[0].status == "conflict"
    assert Event.objects.get().payload == {"n": 1}


@pytest.mark.django_db
def test_within_one_append_the_first_of_an_id_counts() -> None:
    event_id = str(uuid.uuid4())
    verdicts = events.append([event(1, event_id=event_id), event(1, event_id=event_id), event(2, event_id=event_id)])
    assert [v.status for v in verdicts] == ["enqueued", "duplicate", "conflict"]


@pytest.mark.django_db
def test_a_repeated_event_made_by_the_orm_is_recognised_by_its_content() -> None:
    made = Event.objects.create(event_type="test.record", did=ALICE, payload={"n": 1})
    assert events.append(event(1, event_id=str(made.event_id)))[0].status == "duplicate"
    assert events.append(event(2, event_id=str(made.event_id)))[0].status == "conflict"


@pytest.mark.django_db
def test_ids_follow_the_order_of_the_call() -> None:
    events.append([event(n) for n in range(50)])
    assert [e.payload["n"] for e in Event.objects.order_by("id")] == list(range(50))


@pytest.mark.django_db
def test_an_event_is_stored_as_it_was_sent() -> None:
    payload = {"text": "Zoë \\u0000 \u2028 😀", "deep": [[{"a": None}]], "big": 2**70, "small": 1e-300, "yes": True}
    events.append(
        event(payload=payload, priority=3, rev="3jzfcijpj2z2a", occurred_at="2026-01-02T03:04:05.678901+02:00")
    )
    stored = Event.objects.get()
    assert stored.payload == payload
    assert (stored.priority, stored.rev, stored.state, stored.attempts) == (3, "3jzfcijpj2z2a", Event.State.PENDING, 0)
    assert stored.occurred_at is not None and stored.occurred_at.isoformat() == "2026-01-02T01:04:05.678901+00:00"
    assert stored.available_at == stored.received_at


@pytest.mark.django_db
def test_what_is_no_event_is_refused_before_anything_is_written() -> None:
    with pytest.raises(EnvelopeError, match="did"):
        events.append([event(1), event(2, did="alice")])
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_a_payload_that_no_database_can_hold_is_dead_with_its_bytes_kept() -> None:
    body = b'{"event_type": "test.record", "did": "did:plc:alice", "payload": {"a": "nul \\u0000"}}'
    assert append_new([parse(body)])[0].status == "enqueued"
    dead = Event.objects.get()
    assert dead.state == Event.State.DEAD and dead.last_error and dead.finished_at is not None
    assert bytes(dead.raw or b"") == b'{"a": "nul \\u0000"}'
    assert not dead.requeue(), "it can't be applied as it is"


@pytest.mark.django_db
def test_a_row_that_the_database_refuses_is_dead_and_fails_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec

    good = [parse(msgspec.json.encode(event(n))) for n in range(20)]
    # What validation would never let through, as a stand-in for what it does not know of.
    bad = msgspec.structs.replace(
        good[7], payload=b'{"a": "\\u0000"}' if connection.vendor == "postgresql" else b"{not json"
    )
    verdicts = append_new([*good[:7], bad, *good[8:]])
    assert {v.status for v in verdicts} == {"enqueued"}
    assert Event.objects.filter(state=Event.State.PENDING).count() == 19
    dead = Event.objects.get(state=Event.State.DEAD)
    assert "can't hold the payload" in dead.last_error
    assert bytes(dead.raw or b"") == bad.payload


@pytest.mark.django_db(transaction=True)
def test_within_a_callers_transaction_events_come_and_go_with_it() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        events.append(event())
        raise RuntimeError
    assert not Event.objects.exists()
    with transaction.atomic():
        events.append(event())
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_async_twin_appends_too() -> None:
    assert async_to_sync(events.aappend)(event())[0].status == "enqueued"
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_ids_in_opposite_orders_at_once_do_not_fail() -> None:
    batch = [event(n, event_id=str(uuid.uuid4())) for n in range(400)]
    statuses: list[str] = []
    errors: list[BaseException] = []
    together = threading.Barrier(4)

    def append(events_: list[dict[str, Any]]) -> None:
        try:
            together.wait()
            statuses.extend(v.status for v in events.append(events_))
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=append, args=(batch[:: 1 if n % 2 else -1],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(statuses) == ["duplicate"] * 1200 + ["enqueued"] * 400
    assert Event.objects.count() == 400


@pytest.mark.django_db
def test_operators_transitions_change_only_events_still_in_the_state_they_name() -> None:
    done, dead, pending = (
        Event.objects.create(event_type="test.record", did=did, state=state)
        for did, state in ((ALICE, Event.State.DONE), (BOB, Event.State.DEAD), (BOB, Event.State.PENDING))
    )
    assert Event.objects.requeue([done.pk, dead.pk, pending.pk]) == 1
    assert Event.objects.get(pk=dead.pk).state == Event.State.PENDING
    assert Event.objects.discard([done.pk, pending.pk], note="spam") == 1
    assert Event.objects.get(pk=done.pk).state == Event.State.DONE
    assert Event.objects.get(pk=pending.pk).last_error == "discarded: spam"


@pytest.mark.django_db
def test_a_requeued_event_has_all_its_tries_before_it() -> None:
    dead = Event.objects.create(
        event_type="test.record", did=ALICE, state=Event.State.DEAD, attempts=4, crashes=3, suspect=True
    )
    assert dead.requeue()
    dead.refresh_from_db()
    assert (dead.state, dead.attempts, dead.crashes, dead.suspect) == (Event.State.PENDING, 0, 0, False)


@pytest.mark.django_db
def test_a_process_with_another_number_of_lanes_appends_nothing(settings: Settings) -> None:
    Lane.ensure()
    settings.EVENT_LANES = 32
    with pytest.raises(LaneCountError, match="made with 64 lanes"):
        events.append(event())
    assert not Event.objects.exists()
