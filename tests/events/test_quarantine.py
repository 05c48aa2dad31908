"""Suspects, their strikes and the letters of those that crashed too often are written together, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError

from events.models import Attempt, DeadLetter, Pending
from events.worker.quarantine import CRASHES_ALONE, mark_suspects
from tests.events.states import pending, pending_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _strikes_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("no room")

    monkeypatch.setattr(Attempt.objects, "bulk_create", fail)


def test_no_event_is_a_suspect_without_its_strike() -> None:
    events = [pending(), pending()]
    with pytest.raises(DatabaseError):
        mark_suspects([event.pk for event in events], alone=False)
    assert not Pending.objects.filter(suspect=True).exists()


def test_no_crash_is_counted_without_its_strike() -> None:
    event = pending(suspect=True)
    pending_row(event).update(crashes=CRASHES_ALONE - 1)
    with pytest.raises(DatabaseError):
        mark_suspects([event.pk], alone=True)
    assert pending_row(event).get().crashes == CRASHES_ALONE - 1
    assert not DeadLetter.objects.exists()
