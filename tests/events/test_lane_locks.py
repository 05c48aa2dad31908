"""Lanes are locked without waiting, and what is fetched is what the lock protects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from events.models import Event, Pending
from events.wakeup import bare_connection
from events.worker.batch import BatchRequest, Result, run_batch
from tests.events.conftest import ALICE, BOB, Background, state_of
from tests.events.statements import before
from tests.events.states import pending_row
from tests.recorder.models import Seen

pytestmark = pytest.mark.postgresql

Send = Callable[..., UUID]
Step = Callable[..., Result]


@contextmanager
def locked(lane: int) -> Iterator[None]:
    """Hold a lane as another worker's batch does."""
    with bare_connection() as other:
        other.autocommit = False
        other.execute("select id from events_lane where id = %s for update", [lane])
        yield


def lane_of(event_id: UUID) -> int:
    """The lane of a pending event."""
    return Pending.objects.get(id=Event.objects.get(event_id=event_id).pk).lane


@pytest.mark.parametrize("by_age", [False, True])
def test_a_lane_that_is_locked_is_passed_over(send: Send, take: Step, settings: Settings, by_age: bool) -> None:
    settings.EVENT_BATCH_TIMEOUT = 1.0
    held, other = send(ALICE, 1), send(BOB, 2)
    with locked(lane_of(held)):
        assert take(by_age=by_age).done == 1
    assert (state_of(held), state_of(other)) == (Event.State.PENDING, Event.State.DONE)


def test_an_announced_lane_that_is_locked_is_passed_over(send: Send, take: Step, settings: Settings) -> None:
    settings.EVENT_BATCH_TIMEOUT = 1.0
    lanes = lane_of(send(ALICE, 1)), lane_of(send(BOB, 2))
    with locked(lanes[0]):
        result = take(lanes=lanes)
    assert (result.lanes, result.done) == (lanes[1:], 1)


def test_what_was_applied_until_a_lane_is_locked_is_not_fetched(
    send: Send, take: Step, monkeypatch: pytest.MonkeyPatch, background: type[Background]
) -> None:
    for n in range(2):
        send(ALICE, n)

    def another_batch(parameters: dict[str, Any]) -> None:
        assert background(lambda: run_batch(BatchRequest(share=1, limit=1))).join().done == 1

    before(monkeypatch, "lock", another_batch)
    assert take().done == 1
    assert list(Seen.objects.values_list("number", flat=True)) == [0, 1]


def test_a_suspect_alone_locks_no_lane(send: Send, take: Step) -> None:
    suspect = Event.objects.get(event_id=send(ALICE, 1))
    pending_row(suspect).update(suspect=True)
    assert take().lanes == ()
