"""Dead letters in the log: appended as such, requeued, discarded."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest
from django.db import DatabaseError
from django.utils import timezone

from events.envelope import NewEvent, parse
from events.log.append import append_new
from events.log.dead_letters import append_dead, bury, discard, requeue
from events.models import DeadLetter, Event, Pending
from tests.events import states
from tests.events.conftest import ALICE
from tests.events.statements import before
from tests.events.states import state_of


class TestDeadAtOnce:
    """An event that can never be applied, from a source that must not lose it."""

    def new(self, **fields: Any) -> NewEvent:
        event_id = str(uuid.UUID(int=1))
        event = {"event_type": "test.record", "did": ALICE, "payload": {"n": 1}, "event_id": event_id, **fields}
        return parse(msgspec.json.encode(event))

    @pytest.mark.django_db
    def test_it_is_a_dead_letter_and_never_was_pending(self) -> None:
        made = self.new(rev="3jzfcijpj2z2a")
        assert append_dead(made, "field: 'x' 17; allowed: y").status == "enqueued"
        letter = DeadLetter.objects.select_related("event").get()
        assert (letter.event.event_id, letter.event.payload) == (made.event_id, {"n": 1})
        assert (letter.event_type, letter.did, letter.attempts) == ("test.record", ALICE, 0)
        assert (letter.error, letter.reason) == ("field: 'x' 17; allowed: y", "field: …; allowed: y")
        assert (letter.discarded_at, letter.note) == (None, "")
        assert not Pending.objects.exists()
        assert state_of(letter.pk).state == Event.State.DEAD

    @pytest.mark.django_db
    def test_the_same_again_is_a_duplicate_and_changes_nothing(self) -> None:
        append_dead(self.new(), "no")
        before = DeadLetter.objects.values().get()
        assert append_dead(self.new(), "another error").status == "duplicate"
        assert DeadLetter.objects.values().get() == before

    @pytest.mark.django_db
    def test_one_that_is_pending_stays_pending(self) -> None:
        append_new([self.new()])
        assert append_dead(self.new(), "no").status == "duplicate"
        assert append_dead(msgspec.structs.replace(self.new(), digest="0" * 32), "no").status == "conflict"
        assert not DeadLetter.objects.exists()
        assert Pending.objects.count() == 1

    @pytest.mark.django_db
    def test_it_can_be_requeued_like_every_other(self) -> None:
        append_dead(self.new(), "no")
        assert requeue([DeadLetter.objects.get().pk]) == 1
        assert state_of(Event.objects.get().pk).state == Event.State.PENDING

    @pytest.mark.django_db(transaction=True)
    def test_nothing_is_stored_where_the_letter_cannot_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(parameters: dict[str, Any]) -> None:
            raise DatabaseError("no room")

        before(monkeypatch, "bury", fail)
        with pytest.raises(DatabaseError):
            append_dead(self.new(), "no")
        assert not Event.objects.exists()


@pytest.mark.django_db
def test_operators_transitions_change_only_events_still_in_the_state_they_name() -> None:
    applied, letter, waits = states.done(), states.dead(), states.pending()
    discarded = states.dead(discarded_at=timezone.now())
    ids = [applied.pk, letter.pk, discarded.pk, waits.pk]
    assert requeue(ids) == 1
    assert [state_of(pk).state for pk in ids] == [
        Event.State.DONE,
        Event.State.PENDING,
        Event.State.DISCARDED,
        Event.State.PENDING,
    ]
    assert discard(ids, note="spam") == 0
    assert bury([waits.pk], discarded=True, note="spam")
    assert not bury([applied.pk], discarded=True, note="spam")
    assert (state_of(waits).state, state_of(waits).note) == (Event.State.DISCARDED, "spam")
    assert state_of(applied).state == Event.State.DONE


@pytest.mark.django_db
def test_a_requeued_event_has_all_its_attempts_before_it() -> None:
    letter = states.dead(attempts=4)
    assert requeue([letter.pk]) == 1
    event = state_of(letter.pk)
    assert (event.state, event.attempts, event.crashes, event.suspect) == (Event.State.PENDING, 0, 0, False)
