"""Appending: durable, idempotent by event_id, whatever the payload."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import msgspec
import pytest
from asgiref.sync import async_to_sync
from django.db import connections, transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from pytest_django import Settings
from structlog.testing import CapturingLogger

import events
from events import EnvelopeError
from events.envelope import NewEvent, parse
from events.lanes import did_key, lane_of
from events.log import append_protocol
from events.log.append import append_new
from events.models import Event, Lane, Pending
from tests.events.conftest import ALICE
from tests.events.hostile import STRANGE, UNDECODABLE
from tests.events.hostile import event as hostile_event


def event(n: int = 1, **fields: Any) -> dict[str, Any]:
    return {"event_type": "test.record", "did": ALICE, "payload": {"n": n}, **fields}


def json_event(n: int = 1, **fields: Any) -> bytes:
    return msgspec.json.encode(event(n, **fields))


def with_text() -> Any:
    """Events with their states, and their payloads as they are stored."""
    return Event.objects.with_state().annotate(text=Cast("payload", TextField()))


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
    stored = Event.objects.with_state().get()
    assert stored.payload == payload
    assert (stored.priority, stored.rev, stored.state, stored.attempts) == (3, "3jzfcijpj2z2a", Event.State.PENDING, 0)
    assert stored.occurred_at is not None and stored.occurred_at.isoformat() == "2026-01-02T01:04:05.678901+00:00"
    assert stored.available_at is None, "it may be applied at once"
    assert stored.key == did_key(ALICE)
    assert Pending.objects.values_list("key", "id", "priority").get() == (stored.key, stored.pk, 3)


@pytest.mark.django_db
def test_what_is_no_event_is_refused_before_anything_is_written() -> None:
    with pytest.raises(EnvelopeError, match="did"):
        events.append([event(1), event(2, did="alice")])
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("name", STRANGE)
def test_whatever_is_json_is_stored_and_pending(name: str) -> None:
    made = parse(hostile_event(STRANGE[name]))
    assert append_new([parse(json_event(0)), made, parse(json_event(1))])[1].status == "enqueued"
    stored = with_text().get(event_id=made.event_id)
    assert (stored.text, stored.state) == (made.payload.decode(), Event.State.PENDING)
    assert isinstance(stored.payload, str) is (name in UNDECODABLE)
    assert set(Event.objects.with_state().values_list("state", flat=True)) == {Event.State.PENDING}


class TestRepeatsWithAnotherContent:
    """A derived id names a record, not its bytes: what differs is dropped, and the log says so."""

    def new(self, context: str) -> NewEvent:
        uri = f"at://{ALICE}/net.rhiz.relationship.record/1"
        return parse(json_event(payload={"uri": uri, "context": context}, rev="3jzfcijpj2z2a"))

    @pytest.fixture
    def said(self, monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
        lines = CapturingLogger()
        monkeypatch.setattr(append_protocol, "logger", lines)
        return lines

    @pytest.mark.django_db
    def test_are_duplicates_and_both_digests_are_logged(self, said: CapturingLogger) -> None:
        first, second = self.new("a"), msgspec.structs.replace(self.new("b"), request_id="indexer-7")
        assert first.event_id == second.event_id
        append_new([first])
        assert append_new([second])[0].status == "duplicate"
        [line] = said.calls
        assert line.method_name == "warning"
        assert line.kwargs == {
            "event_id": str(first.event_id),
            "stored_digest": first.digest,
            "sent_digest": second.digest,
            "request_id": "indexer-7",
        }
        assert Event.objects.get().payload["context"] == "a"

    @pytest.mark.django_db
    def test_within_one_append_too(self, said: CapturingLogger) -> None:
        first, second = self.new("a"), self.new("b")
        assert [a.status for a in append_new([first, second, first])] == ["enqueued", "duplicate", "duplicate"]
        assert [(c.kwargs["stored_digest"], c.kwargs["sent_digest"]) for c in said.calls] == [
            (first.digest, second.digest)
        ]

    @pytest.mark.django_db
    def test_an_equal_repeat_says_nothing(self, said: CapturingLogger) -> None:
        assert [append_new([self.new("a")])[0].status for _ in range(2)] == ["enqueued", "duplicate"]
        assert not said.calls


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
@pytest.mark.parametrize("configured", [3, 1_000])
def test_a_process_set_up_for_another_number_of_lanes_appends_to_lanes_that_exist(
    settings: Settings, configured: int
) -> None:
    existing = Lane.count()
    settings.EVENT_LANES = configured
    events.append([event(n, did=f"did:plc:{n}") for n in range(200)])
    rows = Pending.objects.values_list("lane", "key")
    assert len(rows) == 200
    assert all(lane == lane_of(key, existing) for lane, key in rows)
    assert {lane for lane, _ in rows} <= set(Lane.objects.values_list("id", flat=True))
    assert Lane.count() == existing, "nobody has made other lanes"
