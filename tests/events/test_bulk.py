"""Bulk actions: what was dead when they were asked, each letter once, whatever dies meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import override_settings
from django.utils import timezone

from events import bulk
from events.dead_letters import Filter
from events.models import BulkAction, Event
from tests.events.letters import dead

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 0)
    monkeypatch.setattr(bulk, "WINDOW", 3)


@pytest.fixture
def operator() -> User:
    return User.objects.create(username="operator", is_staff=True)


def ask(operator: User, verb: str = "requeue", note: str = "", **fields: str) -> BulkAction:
    action = bulk.decide(operator, verb, Filter(**fields), note).action  # type: ignore[arg-type]
    assert action is not None
    return action


def run() -> int:
    batches = 0
    while bulk.run_batch():
        batches += 1
        assert batches < 50, "it does not end"
    return batches


def test_it_changes_what_matches_batch_after_batch_and_ends(operator: User) -> None:
    made = dead(7)
    dead(4, error="other")
    action = ask(operator, reason=made[0].reason)
    assert run() == 5  # of three letters, of which not all match; the last finds none
    action.refresh_from_db()
    assert (action.get_state_display(), action.changed, action.expected) == ("finished", 7, 7)
    assert Event.objects.dead().count() == 4
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (
        operator,
        f"requeued 7 dead letters, bulk action {action.pk}",
    )


def test_a_letter_that_dies_again_meanwhile_is_not_requeued_again(operator: User) -> None:
    made = dead(5)
    action = ask(operator)
    requeued = 0
    while bulk.run_batch():
        requeued += Event.objects.pending().update(state=Event.State.DEAD, finished_at=timezone.now())
        assert requeued <= len(made)
    action.refresh_from_db()
    assert action.changed == len(made) == requeued


def test_a_letter_that_died_after_it_was_asked_is_left(operator: User) -> None:
    dead(2)
    action = ask(operator)
    dead(2, finished_at=timezone.now() + timedelta(minutes=1))
    early = Event.objects.dead().earliest("id")
    Event.objects.filter(pk=early.pk).update(finished_at=timezone.now() + timedelta(minutes=1))
    run()
    action.refresh_from_db()
    assert (action.changed, Event.objects.dead().count()) == (1, 3)


def test_a_letter_that_was_buried_by_hand_without_a_time_is_meant_too(operator: User) -> None:
    dead(2, finished_at=None)
    action = ask(operator)
    run()
    action.refresh_from_db()
    assert action.changed == 2


def test_discarding_keeps_the_note(operator: User) -> None:
    dead(4)
    ask(operator, "discard", note="a broken client")
    run()
    assert set(Event.objects.values_list("state", "last_error")) == {
        (Event.State.DISCARDED, "discarded: a broken client")
    }


def test_stopped_it_leaves_the_rest_and_says_how_far_it_came(operator: User) -> None:
    dead(7)
    action = ask(operator)
    bulk.run_batch()
    assert bulk.stop(action, operator)
    assert not bulk.run_batch() and not bulk.stop(action, operator)
    assert Event.objects.dead().count() == 4
    assert "requeued 3 dead letters before it was stopped" in LogEntry.objects.get().change_message


def test_a_batch_that_fails_moves_neither_letters_nor_cursor(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(4)
    action = ask(operator)
    monkeypatch.setattr(bulk, "Now", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bulk.run_batch()
    action.refresh_from_db()
    assert (action.cursor, action.changed, Event.objects.dead().count()) == (0, 0, 4)


@override_settings(EVENT_QUEUE_CAPACITY=4)
def test_a_requeue_waits_while_the_log_is_half_full_and_a_discard_does_not(operator: User) -> None:
    dead(9)
    requeue = ask(operator)
    assert bulk.run_batch()
    assert not bulk.run_batch()
    discard = ask(operator, "discard", note="spam")
    assert bulk.run_batch()
    requeue.refresh_from_db()
    discard.refresh_from_db()
    assert (requeue.changed, discard.changed) == (3, 3)


def test_of_a_user_who_is_gone_there_is_no_entry_and_no_error(operator: User) -> None:
    dead(1)
    ask(operator)
    operator.delete()
    run()
    assert Event.objects.pending().count() == 1 and not LogEntry.objects.exists()
