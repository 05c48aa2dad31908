"""One batch: what it holds, in which order, and what becomes of each event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_bakery import baker

from events.log.dead_letters import bury, requeue
from events.log.quarantine import mark_suspects
from events.models import Batch, Event, Lane, Pending
from events.worker.batch import BatchRequest, Result, peek_batch, run_batch
from events.worker.identity import worker_name
from events.worker.persist import ConcurrentUpdate
from tests.events.conftest import ALICE, BOB, CAROL, found, state_of
from tests.events.statements import before
from tests.events.states import pending_row
from tests.recorder.models import Seen

Send = Callable[..., UUID]
Step = Callable[..., Result]


def seen() -> list[tuple[str, int]]:
    return [(s.did, s.number) for s in Seen.objects.all()]


def test_an_event_is_applied_and_done_in_one_step(send: Send, take: Step) -> None:
    event_id = send(ALICE, 1)
    result = take()
    assert (result.read, result.done, result.failed) == (1, 1, 0)
    event = found(event_id)
    assert (event.state, event.attempts, event.worker) == (Event.State.DONE, 1, worker_name())
    assert event.finished_at >= event.received_at
    assert not Pending.objects.exists()
    assert seen() == [(ALICE, 1)]


def test_a_done_event_is_not_applied_again(send: Send, take: Step) -> None:
    send()
    take()
    assert take().read == 0
    assert Seen.objects.count() == 1


def test_an_event_made_by_the_orm_or_the_bakery_is_applied_too(take: Step) -> None:
    made = Event.objects.create(event_type="test.record", did=ALICE, payload={"n": 1})
    baked = baker.make(Event, event_type="test.record", did=BOB, payload={"n": 2})
    bulk = Event.objects.bulk_create([Event(event_type="test.record", did=CAROL, payload={"n": 3})])[0]
    take()
    assert {state_of(e.event_id) for e in (made, baked, bulk)} == {Event.State.DONE}


def test_events_of_one_did_are_applied_in_the_order_of_the_log(send: Send, take: Step) -> None:
    for n in range(20):
        send(ALICE, n)
    while take(limit=3).read:
        pass
    assert seen() == [(ALICE, n) for n in range(20)]


def test_an_urgent_event_pulls_the_earlier_ones_of_its_did_forward(send: Send, take: Step) -> None:
    send(ALICE, 1, priority=0)
    send(BOB, 2, priority=2)
    send(ALICE, 3, priority=3)
    take(limit=2)
    assert seen() == [(ALICE, 1), (ALICE, 3)]
    take(limit=2)
    assert seen()[2:] == [(BOB, 2)]


def test_several_urgent_events_of_one_did_bring_its_earlier_ones_once(send: Send, take: Step) -> None:
    for number, priority in enumerate((1, 1, 3, 0, 3, 2, 1)):
        send(ALICE, number, priority=priority)
    assert take(limit=5).done == 5
    assert [number for _, number in seen()] == [0, 1, 2, 3, 4]
    assert take().done == 2


def test_across_dids_the_more_urgent_event_comes_first(send: Send, take: Step) -> None:
    for priority, did in enumerate((ALICE, BOB, CAROL)):
        send(did, priority, priority=priority)
    for _ in range(3):
        take(limit=1)
    assert seen() == [(CAROL, 2), (BOB, 1), (ALICE, 0)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    log=st.lists(st.tuples(st.sampled_from([ALICE, BOB, CAROL]), st.integers(0, 3)), max_size=25),
    limit=st.integers(1, 8),
    by_age=st.booleans(),
)
def test_every_batch_is_a_prefix_of_each_dids_unfinished_events(
    lanes: None, log: list[tuple[str, int]], limit: int, by_age: bool
) -> None:
    Event.objects.all().delete()
    Batch.objects.all().delete()
    Seen.objects.all().delete()
    Event.objects.bulk_create(
        Event(event_type="test.record", did=did, priority=priority, payload={"n": n})
        for n, (did, priority) in enumerate(log)
    )
    while run_batch(BatchRequest(share=64, limit=limit, by_age=by_age)).read:
        for did in (ALICE, BOB, CAROL):
            ordered = [n for n, (owner, _) in enumerate(log) if owner == did]
            got = [n for owner, n in seen() if owner == did]
            assert got == ordered[: len(got)]
    assert len(seen()) == len(log)


def test_mixed_types_of_one_did_keep_their_order(send: Send, take: Step) -> None:
    types = ["test.record", "test.other", "test.other", "test.record", "test.other"]
    for n, event_type in enumerate(types):
        send(ALICE, n, event_type)
        send(BOB, n, types[-1 - n])
    take()
    assert [n for did, n in seen() if did == ALICE] == [0, 1, 2, 3, 4]
    assert [n for did, n in seen() if did == BOB] == [0, 1, 2, 3, 4]


def test_one_poison_event_in_a_batch_of_300_costs_the_others_no_attempt(send: Send, take: Step) -> None:
    Event.objects.bulk_create(
        Event(event_type="test.record", did=f"did:plc:{n}", payload={"n": n, "do": "fail" if n == 137 else None})
        for n in range(300)
    )
    result = take()
    assert (result.read, result.done, result.failed) == (300, 299, 1)
    assert Event.objects.with_state().filter(state=Event.State.DONE, attempts=1).count() == 299
    poison = Event.objects.with_state().get(did="did:plc:137")
    assert (poison.state, poison.attempts) == (Event.State.PENDING, 1)
    assert "ValueError: told to fail: 137" in poison.error
    assert sorted(n for _, n in seen()) == [n for n in range(300) if n != 137]


@pytest.mark.parametrize("do", ["fail", "exit", "swallow", "break-the-transaction"])
def test_whatever_a_processor_does_wrong_is_its_events_failure(send: Send, take: Step, do: str) -> None:
    innocent, guilty = send(ALICE, 1), send(BOB, 2, do=do)
    take()
    assert state_of(innocent) == Event.State.DONE
    event = found(guilty)
    if do == "break-the-transaction" and connection.vendor == "sqlite":
        assert event.state == Event.State.DONE  # a failed statement does not end a transaction there
    else:
        assert (event.state, event.attempts) == (Event.State.PENDING, 1)


def test_a_permanent_error_is_a_dead_letter_at_once(send: Send, take: Step) -> None:
    event_id = send(ALICE, 1, do="refuse")
    take()
    event = found(event_id)
    assert (event.state, event.attempts, event.error) == (Event.State.DEAD, 1, "told to refuse")
    assert event.finished_at is not None


def test_an_event_without_a_processor_is_dead_with_a_reason_and_never_vanishes(send: Send, take: Step) -> None:
    event_id = send(ALICE, 1, event_type="nobody.knows")
    take()
    event = found(event_id)
    assert event.state == Event.State.DEAD
    assert event.error == "no processor is registered for 'nobody.knows'"


def due_again(event_id: UUID) -> None:
    """Let a waiting event's time come."""
    wait_until(event_id, timezone.now() - timedelta(seconds=1))


def wait_until(event_id: UUID, moment: datetime) -> None:
    """Let a pending event wait until then."""
    assert pending_row(Event.objects.get(event_id=event_id)).update(available_at=moment) == 1


def test_retries_wait_2_4_and_8_seconds_and_then_the_event_is_dead(send: Send, take: Step) -> None:
    event_id = send(ALICE, 1, do="fail")
    for attempt, seconds in enumerate((2, 4, 8), start=1):
        before = timezone.now()
        take()
        event = found(event_id)
        assert (event.state, event.attempts) == (Event.State.PENDING, attempt)
        wait = (event.available_at - before).total_seconds()
        assert 0.9 * seconds <= wait <= seconds + 1
        assert take().read == 0, "it must not run before its time"
        due_again(event_id)
    take()
    event = found(event_id)
    assert (event.state, event.attempts) == (Event.State.DEAD, 4)
    assert "ValueError" in event.error


def test_an_event_that_waits_holds_up_its_did_and_nobody_else(send: Send, take: Step) -> None:
    failing = send(ALICE, 1, do="fail-at-first")
    follower = send(ALICE, 2)
    stranger = send(BOB, 3)
    take()
    assert [state_of(e) for e in (failing, follower, stranger)] == [
        Event.State.PENDING,
        Event.State.PENDING,
        Event.State.DONE,
    ]
    assert found(follower).attempts == 0
    due_again(follower)
    take()
    assert state_of(follower) == Event.State.PENDING
    assert found(follower).available_at == found(failing).available_at > timezone.now()
    due_again(failing)
    due_again(follower)
    take()
    assert seen() == [(BOB, 3), (ALICE, 1), (ALICE, 2)]


def test_followers_of_a_waiting_event_are_snoozed_to_its_time(send: Send, take: Step) -> None:
    waiting = send(ALICE, 1)
    until = timezone.now() + timedelta(hours=1)
    wait_until(waiting, until)
    follower = send(ALICE, 2)
    result = take()
    assert (result.done, result.snoozed) == (0, 1)
    assert found(follower).available_at == until
    assert take().lanes == (), "no lane is taken for events that can't run"


def test_after_a_dead_letter_its_did_goes_on_in_the_same_batch(send: Send, take: Step) -> None:
    dead, follower = send(ALICE, 1, do="refuse"), send(ALICE, 2)
    take()
    assert (state_of(dead), state_of(follower)) == (Event.State.DEAD, Event.State.DONE)


def test_an_event_whose_id_was_given_is_due_and_not_ready(take: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixture's or an import's id may lie below a low watermark. Its time is the database's."""
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(days=365))
    highest = Event.objects.create(event_type="test.record", did=BOB).pk
    given = Event.objects.create(id=highest + 1000, event_type="test.record", did=ALICE)
    assert pending_row(given).get().available_at is not None
    assert take().done == 2


def test_events_are_not_created_without_their_pending_rows() -> None:
    with pytest.raises(ValueError, match=r"use events\.append"):
        Event.objects.bulk_create([Event(event_type="test.record", did=ALICE)], ignore_conflicts=True)


# SQLite has one writer: there a row is marked before a batch or after it.
@pytest.mark.parametrize("change_to", ["discarded", pytest.param("marked as a suspect", marks=pytest.mark.postgresql)])
def test_a_pending_row_that_changes_while_its_batch_is_applied_takes_the_batch_back(
    send: Send, take: Step, monkeypatch: pytest.MonkeyPatch, change_to: str
) -> None:
    first, second = send(ALICE, 1), send(BOB, 2)
    event = Event.objects.get(event_id=first)

    def change(parameters: dict[str, Any]) -> None:
        # What another transaction would have committed meanwhile.
        if change_to == "discarded":
            assert bury([event.pk], discarded=True)
        else:
            mark_suspects([event.pk])

    before(monkeypatch, "complete", change)
    with pytest.raises(ConcurrentUpdate):
        take()
    assert Seen.objects.count() == 0
    assert (state_of(first), state_of(second)) == (Event.State.PENDING, Event.State.PENDING)
    assert Pending.objects.filter(attempts=0).count() == 2


def test_a_deadlock_costs_no_attempt(send: Send, take: Step) -> None:
    event_id = send(ALICE, 1, do="deadlock")
    with pytest.raises(Exception, match="told to"):
        take()
    event = found(event_id)
    assert (event.state, event.attempts, event.error) == (Event.State.PENDING, 0, "")


def test_a_suspect_is_left_out_of_ordinary_batches_with_what_follows_it(send: Send, take: Step) -> None:
    suspect, follower, stranger = send(ALICE, 1), send(ALICE, 2), send(BOB, 3)
    event = Event.objects.get(event_id=suspect)
    pending_row(event).update(suspect=True)
    take()
    assert seen() == [(BOB, 3)]
    assert (state_of(suspect), state_of(follower), state_of(stranger)) == (
        Event.State.PENDING,
        Event.State.PENDING,
        Event.State.DONE,
    )
    lane = pending_row(event).get().lane
    result = run_batch(BatchRequest(share=1, limit=1, lanes=(lane,), suspect=event.pk))
    assert result.done == 1
    assert seen()[1:] == [(ALICE, 1)]


def test_a_batch_applies_only_what_was_announced(send: Send, take: Step) -> None:
    send(ALICE, 1)
    announced = peek_batch(BatchRequest(share=64, limit=300))
    send(ALICE, 2)
    send(BOB, 3)
    result = take(lanes=announced.lanes, only=frozenset(announced.ids))
    assert result.done == 1
    assert seen() == [(ALICE, 1)]


def test_the_batch_by_age_takes_the_oldest_event_first(send: Send, take: Step) -> None:
    oldest = send(ALICE, 1, priority=0)
    for n in range(10):
        send(f"did:plc:urgent{n}", n, priority=3)
    run_batch(BatchRequest(share=1, limit=1, by_age=True))
    assert state_of(oldest) == Event.State.DONE


def test_lanes_are_made_once(lanes: None) -> None:
    Lane.ensure()
    assert Lane.objects.count() == Lane.count() == 64


def test_behind_a_failing_event_a_deep_did_holds_up_nobody_else(send: Send, take: Step) -> None:
    """However many events follow it: more than a batch holds, in this case."""
    send(ALICE, 0, do="fail", priority=3)
    Event.objects.bulk_create(
        Event(event_type="test.record", did=ALICE, priority=3, payload={"n": n}) for n in range(1, 200)
    )
    stranger = send(BOB, 1, priority=0)
    steps = 0
    while state_of(stranger) != Event.State.DONE:
        result = run_batch(BatchRequest(share=1, limit=20))
        assert result.progress
        steps += 1
        assert steps < 10
    assert not Pending.objects.filter(Q(available_at=None) | Q(available_at__lte=timezone.now())).exists()
    assert take().lanes == ()


def test_an_urgent_event_far_behind_in_its_did_still_pulls_it_forward(send: Send, take: Step) -> None:
    Event.objects.bulk_create(
        Event(event_type="test.record", did=ALICE, priority=0, payload={"n": n}) for n in range(30)
    )
    urgent = send(ALICE, 30, priority=3)
    Event.objects.bulk_create(
        Event(event_type="test.record", did=ALICE + str(n), priority=1, payload={"n": n}) for n in range(100)
    )
    for _ in range(2):
        take(limit=20)
    assert state_of(urgent) == Event.State.DONE
    assert [n for did, n in seen() if did == ALICE] == list(range(31))


def test_an_event_received_in_the_future_of_a_wrong_clock_is_applied_and_not_waited_for(take: Step) -> None:
    baker.make(Event, event_type="test.record", received_at=timezone.now() + timedelta(hours=1))
    assert take().done == 1


def test_a_processors_own_words_go_before_what_it_caught(send: Send, take: Step) -> None:
    event_id = send(ALICE, 1, do="refuse-after-lock")
    take()
    assert state_of(event_id) == Event.State.DEAD


@pytest.mark.parametrize("do", ["lock-timeout", "deadlock", "disk-full"])
def test_contention_and_a_full_disk_never_become_an_attempt_however_often_they_come(
    send: Send, take: Step, do: str
) -> None:
    event_id = send(ALICE, 1, do=do)
    with pytest.raises(Exception, match="told to"):
        take(repeated=True)
    assert (found(event_id).state, found(event_id).attempts) == (Event.State.PENDING, 0)


def test_a_statement_that_keeps_taking_too_long_is_its_events_failure_in_the_end(send: Send, take: Step) -> None:
    slow, innocent = send(ALICE, 1, do="statement-timeout"), send(BOB, 2)
    with pytest.raises(Exception, match="told to"):
        take()
    take(repeated=True)
    assert (found(slow).state, found(slow).attempts) == (Event.State.PENDING, 1)
    assert state_of(innocent) == Event.State.DONE


def test_a_batch_leaves_out_the_lanes_that_it_is_to_avoid(send: Send, take: Step) -> None:
    avoided, other = send(ALICE, 1), send(BOB, 2)
    lane = pending_row(Event.objects.get(event_id=avoided)).get().lane
    take(avoid=(lane,))
    assert (state_of(avoided), state_of(other)) == (Event.State.PENDING, Event.State.DONE)


def test_a_batch_is_bounded_in_bytes_and_holds_at_least_one_event(
    send: Send, take: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(300):
        send(ALICE, n, text="x" * 60_000)
    with connection.cursor() as cursor:
        cursor.execute("update events_event set payload = replace(payload, 'xx', 'é')")  # two bytes, one character
    result = take()
    assert 100 < result.done < 140, "8 MB of payloads, and not 18"
    assert seen() == [(ALICE, n) for n in range(result.done)]


def test_a_requeued_event_is_applied_before_the_later_events_of_its_did(send: Send, take: Step) -> None:
    """Its id lies below the low watermarks, and it is found by its time."""
    old = send(ALICE, 1, do="refuse")
    take()
    late = send(ALICE, 2)
    pk = Event.objects.get(event_id=old).pk
    Event.objects.filter(pk=pk).update(payload={"n": 1})
    assert requeue([pk]) == 1
    take(watermarks=(pk, pk, pk, pk))
    assert seen() == [(ALICE, 1), (ALICE, 2)]
    assert state_of(late) == Event.State.DONE


def test_below_a_waiting_event_of_its_did_no_later_event_is_applied_whatever_the_watermarks(
    send: Send, take: Step
) -> None:
    waiting, later = send(ALICE, 1), send(ALICE, 2)
    wait_until(waiting, timezone.now() + timedelta(hours=1))
    pk = Event.objects.get(event_id=waiting).pk
    take(watermarks=(pk, pk, pk, pk))
    assert seen() == []
    assert found(later).available_at == found(waiting).available_at
