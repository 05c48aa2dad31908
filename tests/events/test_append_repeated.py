"""An append that is repeated after a transient error: what was rolled back is inserted again."""

from __future__ import annotations

import sqlite3
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection

from events.envelope import NewEvent, from_mapping
from events.log.append import append_new
from events.log.dead_letters import append_dead
from events.models import DeadLetter, Event, Pending
from tests.events.conftest import ALICE
from tests.events.statements import before

pytestmark = pytest.mark.django_db(transaction=True)


def new() -> NewEvent:
    return from_mapping({"event_type": "test.record", "did": ALICE, "payload": {}, "event_id": uuid4()})


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a statement of the log lose to a deadlock at its first call."""

    def fail(parameters: dict[str, Any]) -> None:
        raise OperationalError from psycopg.errors.DeadlockDetected("once")

    before(monkeypatch, name, fail)


def full() -> Exception:
    """What the database raises when its disk is full."""
    if connection.vendor == "postgresql":
        return psycopg.errors.DiskFull("no space left on device")
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def test_not_where_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was repeated for 20 s; the caller is told at once, and may have somewhere else to write."""

    def fail(parameters: dict[str, Any]) -> None:
        raise OperationalError from full()

    before(monkeypatch, "append", fail)
    with pytest.raises(OperationalError):
        append_new([new()])
    assert not Event.objects.exists()


def test_with_a_duplicate_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known, event = new(), new()
    append_new([known])
    fail_once(monkeypatch, "digests")
    assert [appended.status for appended in append_new([known, event])] == ["duplicate", "enqueued"]
    assert set(Event.objects.values_list("event_id", flat=True)) == {known.event_id, event.event_id}
    assert Pending.objects.count() == 2


def test_as_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    event = new()
    fail_once(monkeypatch, "bury")
    assert append_dead(event, "refused").status == "enqueued"
    assert DeadLetter.objects.get().event.event_id == event.event_id
    assert not Pending.objects.exists()
