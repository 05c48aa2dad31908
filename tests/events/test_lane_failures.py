"""A lane that keeps failing is skipped for a while, and reported; others go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from events.models import Event, Pending
from events.wakeup import bare_connection
from events.worker.batch import BatchRequest, Result
from events.worker.fleet import Membership
from events.worker.lane_failures import FIRST_PAUSE, LOCK_TIMEOUT, LONGEST_PAUSE, REPEATS, LaneFailures
from events.worker.steps import LaneFailed, Steps
from events.worker.watchdog import Watchdog
from events.worker.work import Work
from tests.events.conftest import ALICE, found, state_of
from tests.events.states import pending_row
from tests.recorder.models import Seen

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
        retry = failures.take_due()
        assert retry and retry.lane == 3
        assert failures.take_due() is None, "another thread takes another lane"
        pause = min(LONGEST_PAUSE, pause * 2)


def test_retries_of_a_lane_take_a_tenth_of_the_time_at_most(clock: Clock) -> None:
    failures = LaneFailures(clock)
    failures.failed((3,), ERROR, seconds=1.0)
    clock.now += 8.9
    assert failures.take_due() is None
    clock.now += 0.2
    assert failures.take_due()


def test_retries_of_many_lanes_take_a_tenth_of_the_time_at_most(clock: Clock) -> None:
    failures = LaneFailures(clock)
    for lane in range(64):
        failures.failed((lane,), ERROR)
    retries = 0
    began = clock.now
    while clock.now < began + 100:
        if retry := failures.take_due():
            clock.now += retry.lock_timeout
            failures.failed((retry.lane,), ERROR, seconds=retry.lock_timeout)
            retries += 1
        clock.now += 0.01
    assert 90 <= retries <= 101, "each waits 0.1 s for a lock, then 0.9 s pass"


def test_lanes_that_failed_together_are_retried_at_once_whatever_the_failure_took(clock: Clock) -> None:
    """The lock of one lane's rows was waited for 10 s, and all 64 lanes of the batch paused for 30."""
    failures = LaneFailures(clock)
    failures.failed(range(64), ERROR, seconds=10.0)
    clock.now += FIRST_PAUSE
    taken = [retry.lane for _ in range(64) if (retry := failures.take_due())]
    assert sorted(taken) == list(range(64))


def test_lanes_that_fail_together_do_not_wait_for_one_that_has_been_blocked_for_long(clock: Clock) -> None:
    failures = LaneFailures(clock)
    for _ in range(20):
        failures.failed((3,), ERROR, seconds=3.3)
    failures.failed((5, 6), ERROR, seconds=0.01)
    clock.now += FIRST_PAUSE
    taken = [retry.lane for _ in range(3) if (retry := failures.take_due())]
    assert sorted(taken) == [5, 6]


def test_a_suspect_that_is_blocked_leaves_time_for_the_retries_of_lanes(clock: Clock) -> None:
    failures = LaneFailures(clock)
    failures.failed((3,), ERROR, seconds=0.1)
    for _ in range(20):
        failures.failed((4,), ERROR, seconds=3.3, suspect=7)
    clock.now += 1
    assert failures.take_due() and not failures.take_suspect(7, 4)
    assert failures.take_suspect(8, 4), "another suspect, which has not failed"


def test_the_lane_that_failed_least_is_retried_first(clock: Clock) -> None:
    failures = LaneFailures(clock)
    for lane in (3, 3, 5):
        failures.failed((lane,), ERROR)
    clock.now += LONGEST_PAUSE
    first, second = failures.take_due(), failures.take_due()
    assert first and second and (first.lane, second.lane) == (5, 3)


def test_a_retry_waits_longer_for_a_lock_the_longer_its_lane_pauses(clock: Clock) -> None:
    """Among transactions that hold a lock for a second each, 0.1 s would never be enough."""
    failures = LaneFailures(clock)
    waits = []
    for _ in range(12):
        failures.failed((3,), ERROR)
        clock.now += LONGEST_PAUSE
        retry = failures.take_due()
        assert retry
        waits.append(retry.lock_timeout)
    assert waits == sorted(waits) and waits[0] == LOCK_TIMEOUT and 3 < waits[-1] < 10


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
        retry = steps.failures.take_due()
        try:
            steps.ordinary(replace(request, lanes=(retry.lane,)) if retry else request)
        except Exception:
            failed += 1
            clock.now += 1  # nothing is retried for nine times as long as the failure took
        assert failed < 10
    assert {state_of(other) for other in others} == {Event.State.DONE}
    assert (found(blocked).state, found(blocked).attempts) == (Event.State.PENDING, 0)
    assert steps.failures.failing() == (Pending.objects.get().lane,)


def test_a_lane_that_fails_shares_no_batch(send: Callable[..., UUID], steps: Steps) -> None:
    blocked = send(ALICE, 0, do="lock-timeout")
    with pytest.raises(LaneFailed):
        steps.ordinary(BatchRequest(share=64, limit=300))
    other = send("did:plc:bob", 1)
    with suppress(LaneFailed):
        steps.ordinary(BatchRequest(share=64, limit=300))
    assert (state_of(other), state_of(blocked)) == (Event.State.DONE, Event.State.PENDING)


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


@pytest.mark.postgresql
def test_a_retry_waits_for_a_lock_as_long_as_it_is_told(send: Callable[..., UUID], steps: Steps) -> None:
    send(ALICE, 1)
    lane = Pending.objects.get().lane
    with bare_connection() as blocker:
        blocker.autocommit = False
        blocker.execute(f"lock table {Seen._meta.db_table}")
        began = time.monotonic()
        with pytest.raises(LaneFailed):
            steps.ordinary(BatchRequest(share=1, limit=10, lanes=(lane,), lock_timeout=0.1))
        assert time.monotonic() - began < 5, "a batch waits for 10 s"


@pytest.mark.parametrize("kind", ["ordinary", "announced"])
def test_a_failing_lane_that_has_nothing_left_no_longer_fails(steps: Steps, kind: str) -> None:
    """Its events were discarded, or another process applied them; the probe reported the lane for minutes."""
    steps.failures.failed((3,), ERROR)
    getattr(steps, kind)(BatchRequest(share=1, limit=10, lanes=(3,)))
    assert steps.failures.failing() == ()


def test_a_suspect_that_fails_by_a_lock_holds_up_no_other_suspect(
    send: Callable[..., UUID], steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(steps.failures, "_clock", clock)
    blocked, other = send(ALICE, 0, do="lock-timeout"), send("did:plc:bob", 1)
    Pending.objects.update(suspect=True)
    with pytest.raises(LaneFailed):
        steps.suspect()
    assert steps.suspect().done == 1
    assert steps.suspect() == Result(), "its retry is not due"
    assert (state_of(other), state_of(blocked)) == (Event.State.DONE, Event.State.PENDING)


def test_a_failing_suspect_leaves_the_other_events_of_its_lane_alone(
    send: Callable[..., UUID], steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(steps.failures, "_clock", clock)
    send(ALICE, 0, do="lock-timeout")
    Pending.objects.update(suspect=True)
    for _ in range(REPEATS):
        with pytest.raises(LaneFailed):
            steps.suspect()
        clock.now += LONGEST_PAUSE
    [lane] = Pending.objects.values_list("lane", flat=True)
    assert steps.failures.failing() == ()
    assert [each["lane"] for each in steps.failures.report()] == [lane]
    assert not steps.failures.repeated((lane,))
    Pending.objects.all().delete()
    steps.suspect()
    assert steps.failures.report() == [], "it is no longer a suspect"


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
