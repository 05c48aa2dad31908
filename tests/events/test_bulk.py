"""Bulk actions: what was dead when they were asked, each letter once, whatever dies meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections
from django.test import override_settings
from django.utils import timezone

from events import bulk
from events.dead_letters import Filter
from events.log.dead_letters import bury, discard, requeue
from events.models import BulkAction, DeadLetter, Event, Pending
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
    assert DeadLetter.objects.dead().count() == 4
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
        requeued += bury(list(Pending.objects.values_list("id", flat=True)), error="again")
        assert requeued <= len(made)
    action.refresh_from_db()
    assert action.changed == len(made) == requeued


def test_a_letter_that_died_after_it_was_asked_is_left(operator: User) -> None:
    dead(2)
    action = ask(operator)
    later = timezone.now() + timedelta(minutes=1)
    dead(2, died_at=later)
    early = DeadLetter.objects.earliest("pk")
    DeadLetter.objects.filter(pk=early.pk).update(died_at=later)
    run()
    action.refresh_from_db()
    assert (action.changed, DeadLetter.objects.dead().count()) == (1, 3)


def test_discarding_keeps_the_note(operator: User) -> None:
    dead(4)
    ask(operator, "discard", note="a broken client")
    run()
    assert set(Event.objects.with_state().values_list("state", "note")) == {(Event.State.DISCARDED, "a broken client")}


def test_stopped_it_leaves_the_rest_and_says_how_far_it_came(operator: User) -> None:
    dead(7)
    action = ask(operator)
    bulk.run_batch()
    assert bulk.stop(action, operator)
    assert not bulk.run_batch() and not bulk.stop(action, operator)
    assert DeadLetter.objects.dead().count() == 4
    stopped, ended = LogEntry.objects.order_by("-pk")
    assert "requeued 3 dead letters before it was stopped" in ended.change_message
    assert (stopped.user, stopped.object_id, stopped.change_message) == (
        operator,
        str(action.pk),
        "stopped after 3 dead letters",
    )


def test_whoever_stops_it_is_told_of_though_it_was_another_who_asked(operator: User) -> None:
    dead(7)
    action = ask(operator)
    operator.delete()
    other = User.objects.create(username="other")
    assert bulk.stop(action, other)
    assert LogEntry.objects.get().user == other


def test_of_two_who_decide_about_the_same_letters_each_letter_has_one(operator: User) -> None:
    ids = [letter.pk for letter in dead(60)]
    together = Barrier(2)

    def decide(_: int) -> int:
        try:
            together.wait(timeout=10)
            return bulk.decide_about(operator, "requeue", ids)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as two:
        changed = sum(two.map(decide, range(2)))
    told = [str(entry.object_id) for entry in LogEntry.objects.all()]
    assert changed == 60 and sorted(told) == sorted(str(pk) for pk in ids)


def test_a_letter_that_is_no_longer_among_those_meant_is_left(operator: User) -> None:
    one, other = dead(2)
    DeadLetter.objects.filter(pk=other.pk).update(reason="died of something else meanwhile")
    assert bulk.decide_about(operator, "discard", [one.pk, other.pk], "spam", among=Filter(reason=one.reason)) == 1
    assert DeadLetter.objects.get(pk=other.pk).discarded_at is None


def test_what_was_not_changed_is_not_said_to_be(operator: User) -> None:
    one, gone, discarded = dead(3)
    requeue([gone.pk])
    discard([discarded.pk])
    assert bulk.decide_about(operator, "requeue", [one.pk, gone.pk, discarded.pk]) == 1
    assert bulk.decide_about(operator, "requeue", [discarded.pk]) == 0
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(one.pk)]


def test_a_batch_that_fails_moves_neither_letters_nor_cursor(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(4)
    action = ask(operator)
    monkeypatch.setattr(bulk, "Now", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bulk.run_batch()
    action.refresh_from_db()
    assert (action.cursor, action.changed, DeadLetter.objects.dead().count()) == (0, 0, 4)


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


def test_a_log_that_cannot_be_counted_holds_up_requeues_and_no_discards(
    operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead(3)
    ask(operator)
    ask(operator, "discard", note="spam")

    def fail(limit: int) -> int:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(bulk, "pending_count", fail)
    run()
    assert list(BulkAction.objects.order_by("id").values_list("changed", flat=True)) == [0, 3]


@pytest.mark.postgresql
def test_a_batch_has_the_time_of_a_workers_batch_and_not_that_of_a_count(
    operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the log is half full was asked in the batch's transaction, and left it 2 s and no sequential scan."""
    dead(1)
    ask(operator)
    settings: list[tuple[str, str]] = []
    advance = bulk._advance

    def watch(action: BulkAction) -> None:
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('statement_timeout'), current_setting('enable_sort')")
            settings.extend(cursor.fetchall())
        advance(action)

    monkeypatch.setattr(bulk, "_advance", watch)
    assert bulk.run_batch()
    assert settings == [("30s", "on")]


def test_of_a_user_who_is_gone_there_is_no_entry_and_no_error(operator: User) -> None:
    dead(1)
    ask(operator)
    operator.delete()
    run()
    assert Pending.objects.count() == 1 and not LogEntry.objects.exists()
