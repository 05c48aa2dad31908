"""A batch deletes the pending rows that it applied, and no others, and is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from events.envelope import from_mapping
from events.log.database import bound
from events.models import Batch, Event, Pending
from events.wakeup import bare_connection
from events.worker.batch import Result
from events.worker.persist import ConcurrentUpdate
from tests.events.conftest import ALICE, BOB, state_of
from tests.events.statements import append_in, before

NO_LETTER = {"error": "", "reason": "", "discarded": True, "note": ""}


def test_a_batch_whose_ids_lie_far_apart_is_recorded_in_several_rows(
    send: Callable[..., UUID], take: Callable[..., Result]
) -> None:
    """A look-up by id reads a bounded range."""
    near = Event.objects.get(event_id=send(ALICE, 1))
    far = Event.objects.create(id=near.pk + 200_000, event_type="test.record", did=BOB)
    assert take().done == 2
    assert all(batch.last_id - batch.first_id < 100_000 for batch in Batch.objects.all())
    assert {state_of(event.event_id) for event in (near, far)} == {Event.State.DONE}


@pytest.fixture
def discarding(lanes: None) -> Any:
    """A transaction that is older than the batch, so that vacuum need not keep what it deletes for the batch."""
    with bare_connection() as operator:
        operator.autocommit = False
        operator.execute("select pg_current_xact_id()")
        yield operator


@pytest.mark.postgresql
def test_a_row_in_the_place_of_one_that_was_discarded_is_not_deleted(
    send: Callable[..., UUID],
    take: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    discarding: psycopg.Connection[Any],
) -> None:
    first = Event.objects.get(event_id=send(ALICE, 1))
    late = from_mapping({"event_type": "test.record", "did": BOB, "payload": {}, "event_id": uuid4()})

    def another_takes_the_place(parameters: dict[str, Any]) -> None:
        psycopg.RawCursor(discarding).execute(*bound("bury", {"ids": [first.pk], **NO_LETTER}))
        discarding.commit()
        with bare_connection() as session:
            session.execute("vacuum (index_cleanup on) events_pending")
            append_in(session, late)
            places = session.execute("select ctid::text from events_pending").fetchall()
        assert [f'{{"{place}"}}' for (place,) in places] == [parameters["places"]]

    before(monkeypatch, "complete", another_takes_the_place)
    with pytest.raises(ConcurrentUpdate):
        take()
    assert Pending.objects.get().id == Event.objects.get(event_id=late.event_id).pk
    assert state_of(first.event_id) == Event.State.DISCARDED
