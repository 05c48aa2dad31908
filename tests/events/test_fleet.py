"""Deaths of workers: who is found dead, who is suspected, who is sentenced."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.utils import timezone
from model_bakery import baker

from events.models import Attempt, Departed, Event, Latency, Pending, Worker
from events.models.worker import SILENCE
from events.worker.fleet import CAREFUL, Membership
from events.worker.identity import host_name
from events.worker.lane_failures import LaneFailures
from events.worker.quarantine import CRASHES_ALONE
from events.worker.work import Work
from tests.events.states import done, pending_row, state_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Membership:
    membership = Membership(Work(slots=2), LaneFailures())
    membership.join()
    return membership


def worker(**fields: Any) -> Worker:
    now = timezone.now()
    known = {"host": "elsewhere", "pid": 1, "process_started": 0, "started_at": now, "heartbeat_at": now}
    return baker.make(Worker, **{**known, **fields})


@pytest.fixture
def gone() -> dict[str, Any]:
    """What a row on this host says of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    process.communicate(b"\n")
    return {"host": host_name(), "pid": process.pid, "process_started": started}


def pending(count: int) -> list[Event]:
    return baker.make(Event, event_type="test.record", _quantity=count)


def test_a_process_that_ended_without_goodbye_is_found_dead_at_once(member: Membership, gone: dict[str, Any]) -> None:
    dead = worker(**gone)
    assert member.beat() is True
    dead.refresh_from_db()
    assert dead.died_at is not None


def test_a_process_that_said_goodbye_is_no_death(member: Membership, gone: dict[str, Any]) -> None:
    worker(**gone, stopped_at=timezone.now())
    assert member.beat() is False


def test_another_process_under_the_same_pid_is_told_apart(member: Membership) -> None:
    import os

    impostor = worker(host=host_name(), pid=os.getppid(), process_started=1.0)
    member.find_dead()
    impostor.refresh_from_db()
    assert impostor.died_at is not None


def test_a_worker_elsewhere_is_dead_only_after_a_silence_that_this_one_lived_through(member: Membership) -> None:
    silent = worker(heartbeat_at=timezone.now() - timedelta(seconds=SILENCE + 1))
    assert member.beat() is False, "after an outage of the database everybody looks silent"
    member._unbroken_since -= SILENCE
    assert member.beat() is True
    silent.refresh_from_db()
    assert silent.died_at is not None


def test_care_ends_five_minutes_after_the_last_death(member: Membership) -> None:
    worker(died_at=timezone.now() - timedelta(seconds=CAREFUL - 5))
    assert member.must_be_careful()
    Worker.objects.filter(died_at__isnull=False).update(died_at=timezone.now() - timedelta(seconds=CAREFUL + 5))
    assert not member.must_be_careful()


def test_events_announced_by_a_dead_worker_become_suspects_if_they_are_still_pending(
    member: Membership, gone: dict[str, Any]
) -> None:
    first, stranger = pending(2)
    second = done()
    worker(**gone, announced=[first.pk, second.pk])
    member.find_dead()
    assert set(Pending.objects.filter(suspect=True)) == {pending_row(first).get()}
    assert set(Pending.objects.filter(crashes=0)) == {pending_row(first).get(), pending_row(stranger).get()}


def test_three_deaths_alone_are_a_dead_letter_and_two_are_not(member: Membership, gone: dict[str, Any]) -> None:
    (event,) = pending(1)
    pending_row(event).update(suspect=True)
    for death in range(1, CRASHES_ALONE + 1):
        found = state_of(event)
        assert (found.state, found.crashes) == (Event.State.PENDING, death - 1)
        worker(**gone, announced=[event.pk], alone=True)
        member.find_dead()
    found = state_of(event)
    assert found.state == Event.State.DEAD
    assert "3 times" in found.error
    assert found.reason.startswith("the worker process died or hung")


def test_a_death_is_an_attempt_of_each_event_of_the_batch(member: Membership, gone: dict[str, Any]) -> None:
    first, second = pending(2)
    dead = worker(**gone, announced=[first.pk, second.pk, done().pk])
    member.find_dead()
    assert sorted(Attempt.objects.values_list("event_id", "worker", "kind", "message")) == [
        (event.pk, str(dead), "worker process died or hung", "it was one of 3 in its batch")
        for event in (first, second)
    ]


def test_a_death_is_counted_once_however_many_find_it(member: Membership, gone: dict[str, Any]) -> None:
    (event,) = pending(1)
    other = Membership(Work(slots=1), LaneFailures())
    other.join()
    worker(**gone, announced=[event.pk], alone=True)
    member.find_dead()
    other.find_dead()
    assert state_of(event).crashes == 1


def test_a_worker_taken_for_dead_by_mistake_comes_back_with_its_next_heartbeat(member: Membership) -> None:
    Worker.objects.filter(pk=member.id).update(died_at=timezone.now())
    member.beat()
    assert Worker.objects.get(pk=member.id).died_at is None


def test_figures_of_the_heartbeat_are_busy_time_over_available_time(member: Membership) -> None:
    member.work.started -= 10
    member.work._history[0] = member.work._history[0]._replace(at=member.work.started)
    member.work.add(processed=30, failed=2)
    member.work._busy += 5.0
    member.beat()
    row = Worker.objects.get(pk=member.id)
    assert (row.processed, row.failed, row.minute_processed) == (30, 2, 30)
    assert row.minute_busy / row.minute_available == pytest.approx(0.25, rel=0.05)


def test_a_newcomer_believes_a_silence_that_it_did_not_hear(member: Membership) -> None:
    """Where each restart is another host, a process that an event kills lives too short to hear one."""
    silent = worker(heartbeat_at=timezone.now() - timedelta(seconds=SILENCE + 1))
    member.find_dead(newcomer=True)
    silent.refresh_from_db()
    assert silent.died_at is not None


def test_a_step_in_hand_is_busy_already_and_one_that_failed_was_busy_too(member: Membership) -> None:
    work = member.work
    with work.step():
        pass  # it found nothing
    assert work.figures()["busy_seconds"] == 0
    with pytest.raises(ValueError, match="rolled back"), work.step() as holding:
        holding((3,), 300)
        figures = work.figures()
        assert [(batch["events"], batch["lanes"]) for batch in figures["batches"]] == [(300, (3,))]
        raise ValueError("rolled back")
    assert 0 < figures["busy_seconds"] <= work.figures()["busy_seconds"]
    assert work.figures()["batches"] == []


def test_latencies_that_could_not_be_written_are_written_with_the_next_heartbeat(
    member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    member.work.add(2, 0, {("a", 1, 3): (2, 9_000)})
    with monkeypatch.context() as patched:
        patched.setattr(Membership, "_mine", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            member.beat()
    assert not Latency.objects.exists()
    member.beat()
    member.beat()
    assert [(row.bucket, row.events, row.seconds) for row in Latency.objects.all()] == [(3, 2, 0.009)]


def test_a_row_that_was_deleted_begins_anew_so_that_nothing_counts_twice(member: Membership) -> None:
    member.work._busy += 5.0
    member.beat()
    Worker.objects.all().forget()
    member.beat()
    busy = sum(Worker.objects.values_list("busy_seconds", flat=True))
    assert busy + Departed.objects.get().busy_seconds == pytest.approx(5.0)


def test_a_heartbeat_publishes_the_low_watermarks_and_the_lanes_that_keep_failing(member: Membership) -> None:
    for _ in range(3):
        member.failures.failed((3, 5), TimeoutError("canceling statement due to lock timeout"))
    member.failures.succeeded((5,))
    member.beat()
    row = Worker.objects.get(pk=member.id)
    assert row.low_watermarks == [0, 0, 0, 0]
    [failing] = row.failing_lanes
    assert (failing["lane"], failing["times"]) == (3, 3)
    assert failing["error"] == "TimeoutError: canceling statement due to lock timeout"
