"""An event that is deleted by hand leaves nothing that could hold up others."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from events.models import Event, Pending
from events.worker.batch import Result
from tests.events.conftest import ALICE, BOB, state_of

Send = Callable[..., UUID]
Step = Callable[..., Result]


@pytest.mark.parametrize("whole", [False, True], ids=["one", "queryset"])
def test_a_deleted_event_is_no_longer_pending(send: Send, whole: bool) -> None:
    send(ALICE, 1)
    kept = send(BOB, 2)
    gone = Event.objects.filter(did=ALICE)
    gone.delete() if whole else gone.get().delete()
    assert Pending.objects.get().id == Event.objects.get(event_id=kept).pk


def test_an_event_is_deleted_of_which_only_its_id_was_read(send: Send) -> None:
    send(ALICE, 1)
    Event.objects.only("pk").delete()
    assert not Pending.objects.exists()


def test_a_suspect_whose_event_was_deleted_in_sql_is_deleted(send: Send, take: Step) -> None:
    """It ran again and again, and each process ran one step at a time."""
    send(ALICE, 1)
    Pending.objects.update(suspect=True)
    suspect = Pending.objects.get()
    Event.objects.all()._raw_delete("default")
    assert (take(suspect=suspect.id, lanes=(suspect.lane,)).failed, Pending.objects.count()) == (1, 0)


def test_a_pending_row_whose_event_was_deleted_in_sql_is_deleted_and_others_are_applied(send: Send, take: Step) -> None:
    """On SQLite the worker failed at it again and again."""
    send(ALICE, 1)
    follows, other = send(ALICE, 2), send(BOB, 3)
    Event.objects.filter(pk=Event.objects.earliest("id").pk)._raw_delete("default")
    assert (take().failed, Pending.objects.count()) == (1, 0)
    assert (state_of(follows), state_of(other)) == (Event.State.DONE, Event.State.DONE)
