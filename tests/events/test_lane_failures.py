"""A lane that keeps failing is skipped for a while, and reported; others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from events.models import Event, Pending
from events.worker.batch import BatchRequest
from events.worker.fleet import Membership
from events.worker.lane_failures import FIRST_PAUSE, LONGEST_PAUSE, REPEATS, LaneFailures
from events.worker.steps import Steps
from events.worker.watchdog import Watchdog
from events.worker.work import Work
from tests.events.conftest import ALICE, found, state_of
from tests.events.states import pending_row

ERROR = TimeoutError("canceling statement due to statement timeout")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_lane_is_retried_at_pauses_that_double_up_to_a_bound(clock: Clock) -> None:
    failures = LaneFailures(clock)
    pause = FIRST_PAUSE
    for _ in range(14):
        failures.failed((3,), ERROR)
        clock.now += pause * 0.99
        assert (failures.take_due(), failures.failing()) == (None, (3,))
        clock.now += pause * 0.02
        assert failures.take_due() == 3
        assert failures.take_due() is None, "another thread takes another lane"
        pause = min(LONGEST_PAUSE, pause * 2)


def test_retries_of_a_lane_take_a_tenth_of_the_time_at_most(clock: Clock) -> None:
    failures = LaneFailures(clock)
    failures.failed((3,), ERROR, seconds=1.0)
    clock.now += 8.9
    assert failures.take_due() is None
    clock.now += 0.2
    assert failures.take_due() == 3


def test_failures_of_one_lane_are_not_those_of_another(clock: Clock) -> None:
    """One counter for all threads was reset by any success."""
    failures = LaneFailures(clock)
    for _ in range(REPEATS):
        failures.failed((3,), ERROR)
        failures.succeeded((5, 6))
    assert failures.repeated((3,)) and failures.repeated((1, 3))
    assert not failures.repeated((5, 6))
    failures.succeeded((3,))
    assert not failures.repeated((3,))


def test_a_lane_is_reported_from_its_third_failure_on(clock: Clock) -> None:
    failures = LaneFailures(clock)
    for _ in range(2):
        failures.failed((3,), ERROR)
        clock.now += 1
    assert failures.report() == []
    failures.failed((3,), ERROR)
    assert failures.report() == [{"lane": 3, "times": 3, "seconds": 2.0, "error": f"TimeoutError: {ERROR}"}]


@pytest.fixture
def steps(lanes: None) -> Any:
    failures = LaneFailures()
    watchdog = Watchdog(30)
    membership = Membership(Work(slots=1), failures)
    membership.join()
    yield Steps(membership, watchdog, failures)
    watchdog.stop()


def test_one_lane_that_fails_holds_up_none_that_shared_its_batch(
    send: Callable[..., UUID], steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(steps.failures, "_clock", clock)
    blocked = send(ALICE, 0, do="lock-timeout")
    others = [send(f"did:plc:{n}", n) for n in range(1, 40)]
    request = BatchRequest(share=64, limit=300)
    with pytest.raises(Exception, match="told to"):
        steps.ordinary(request)
    failed = 1
    while Pending.objects.count() > 1:
        clock.now += FIRST_PAUSE
        try:
            steps.ordinary(request)
        except Exception:
            failed += 1
        assert failed < 10
    assert {state_of(other) for other in others} == {Event.State.DONE}
    assert (found(blocked).state, found(blocked).attempts) == (Event.State.PENDING, 0)
    assert steps.failures.failing() == (Pending.objects.get().lane,)


def test_a_lane_whose_statements_always_take_too_long_ends_as_its_events_failures(
    send: Callable[..., UUID], steps: Steps
) -> None:
    slow = send(ALICE, 1, do="statement-timeout")
    lane = pending_row(Event.objects.get(event_id=slow)).get().lane
    for _ in range(REPEATS):
        with pytest.raises(Exception, match="told to"):
            steps.ordinary(BatchRequest(share=1, limit=10, lanes=(lane,)))
    assert steps.ordinary(BatchRequest(share=1, limit=10, lanes=(lane,))).failed == 1
    assert (found(slow).state, found(slow).attempts) == (Event.State.PENDING, 1)


def test_an_announcement_is_cleared_when_its_batch_raises(send: Callable[..., UUID], steps: Steps) -> None:
    """A process that lives on is not to be found with events that it no longer applies."""
    from events.models import Worker

    send(ALICE, 1, do="deadlock")
    announced: list[Any] = []
    announce = steps.membership.announce

    def spy(ids: list[int], *, alone: bool = False) -> None:
        announced.append(ids)
        announce(ids, alone=alone)

    steps.membership.announce = spy  # type: ignore[method-assign]
    with pytest.raises(Exception, match="told to"):
        steps.announced(BatchRequest(share=64, limit=10))
    assert announced == [[Event.objects.get().pk], []]
    assert Worker.objects.get().announced == []
