"""An append from a thread that meets the lock of an open transaction holds up what is locked, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, transaction

from events.envelope import NewEvent, from_mapping
from events.log import append_protocol
from events.log.append import append_new
from events.models import Event, Pending
from events.wakeup import bare_connection
from tests.events.conftest import ALICE, BOB, Background
from tests.events.statements import append_in

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def new(did: str = ALICE) -> NewEvent:
    return from_mapping({"event_type": "test.record", "did": did, "payload": {}, "event_id": uuid4()})


@pytest.fixture
def blocked() -> NewEvent:
    return new()


@pytest.fixture
def holder(blocked: NewEvent, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that has inserted an event and stays open."""
    monkeypatch.setattr(append_protocol, "LOCKED_FOR", 0.1)
    with bare_connection() as session:
        session.autocommit = False
        append_in(session, blocked)
        yield session
        session.rollback()


def statuses(*events: NewEvent) -> list[str]:
    return [appended.status for appended in append_new(events, may_split=True)]


def test_by_itself_it_is_split(
    holder: psycopg.Connection[Any], blocked: NewEvent, background: type[Background]
) -> None:
    first, behind, other = new(), new(), new(BOB)
    appending = background(lambda: statuses(first, blocked, behind, other))
    assert appending.join(5) == ["enqueued", "locked", "locked", "enqueued"]
    assert Pending.objects.count() == 2
    holder.rollback()
    assert statuses(first, blocked, behind, other) == ["duplicate", "enqueued", "enqueued", "duplicate"]
    assert list(Event.objects.filter(did=ALICE).order_by("id").values_list("event_id", flat=True)) == [
        event.event_id for event in (first, blocked, behind)
    ]


def test_in_a_callers_transaction_it_waits_and_is_not_split(holder: psycopg.Connection[Any], blocked: NewEvent) -> None:
    with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
        with transaction.get_connection().cursor() as cursor:
            cursor.execute("set local lock_timeout = '50ms'")
        statuses(new(), blocked)
    assert not Event.objects.exists()
