"""A process, or a backend of PostgreSQL, dies at each named place; then a worker drains, and the log is compared."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from model_bakery import baker

from events.log.dead_letters import requeue
from events.models import Batch, BulkAction, DeadLetter, Event, Lane, Pending, Worker
from events.worker.identity import host_name
from events.worker.pruner import prune
from events.worker.quarantine import CRASHES_ALONE
from tests.integration.conftest import eventually, none_pending
from tests.integration.crashes import (
    REFUSED,
    Crash,
    Start,
    appended,
    check,
    drain,
    ids,
    letters,
    manage,
    one,
    sample,
    strikes,
)
from tests.recorder.crash_points import POINTS
from tests.recorder.crash_triggers import Fired, backend_dies_at
from tests.recorder.models import Seen

TESTED: set[str] = set()


def places(stage: str) -> pytest.MarkDecorator:
    """A run of the test for each place of this stage that the database has."""
    found = [name for name, point in POINTS.items() if point.exists and name.partition("-")[0] == stage]
    TESTED.update(found)
    return pytest.mark.parametrize("name", found)


@pytest.fixture
def crash(name: str, tmp_path: Path) -> Crash:
    return Crash(name, tmp_path)


@places("append")
def test_an_append_that_dies_is_answered_truly_when_it_is_repeated(start: Start, name: str, crash: Crash) -> None:
    several, loop = sample(), ["--loop"] * name.endswith("loop")
    crash.of_command("append_events", *loop, given=json.dumps(several))
    committed = "answered" in name
    assert Pending.objects.count() == Event.objects.count() == (len(several) if committed else 0)
    appended(several, "duplicate" if committed else "enqueued")
    drain(start)
    check(several)


@places("batch")
def test_a_batch_that_dies_is_applied_once(start: Start, name: str, crash: Crash) -> None:
    late = name in ("batch-failed", "batch-snoozed")
    several = appended(sample(late=late))
    crash.of_worker(start)
    assert Seen.objects.exists() == Batch.objects.exists() == (name == "batch-committed")
    assert not Pending.objects.exclude(attempts=0).exists()
    drain(start)
    check(several)
    assert Event.objects.with_state().filter(attempts=2).count() == late, "what was rolled back is no attempt"


@places("careful")
def test_a_careful_worker_that_dies_makes_suspects_of_what_it_had_announced(
    start: Start, name: str, crash: Crash
) -> None:
    now = timezone.now()
    baker.make(Worker, host="elsewhere", pid=1, started_at=now, heartbeat_at=now, died_at=now)
    several = appended()
    died = crash.of_worker(start)
    announced = sorted(Worker.objects.get(pid=died.pid).announced)
    assert announced == (ids(several) if name == "careful-announced" else [])
    drain(start)
    check(several)
    assert strikes() == announced


def dead_with(announced: list[int], *, alone: bool) -> None:
    """Leave the row of a worker that died while it applied these events."""
    now = timezone.now()
    gone: dict[str, Any] = {"host": host_name(), "pid": os.getpid(), "process_started": 0.0}
    baker.make(Worker, **gone, started_at=now, heartbeat_at=now, announced=announced, alone=alone)


@places("suspects")
def test_suspects_that_are_half_marked_are_marked_by_the_next_worker(start: Start, name: str, crash: Crash) -> None:
    several = appended()
    announced = ids(several[:5])
    dead_with(announced, alone=False)
    crash.of_worker(start)
    assert not Pending.objects.filter(suspect=True).exists() and strikes() == []
    drain(start)
    check(several)
    assert strikes() == announced


@places("third")
def test_the_third_crash_of_an_event_is_counted_once(start: Start, name: str, crash: Crash) -> None:
    several = appended([*sample(), one(0, "did:plc:killer")])
    [killer] = ids(several[-1:])
    Pending.objects.filter(id=killer).update(suspect=True, crashes=CRASHES_ALONE - 1)
    dead_with([killer], alone=True)
    crash.of_worker(start)
    assert Pending.objects.get(id=killer).crashes == CRASHES_ALONE - 1
    drain(start)
    check(several, refused=REFUSED, killer=f"{CRASHES_ALONE} times")
    assert strikes() == [killer]


@places("requeue")
def test_a_requeue_that_dies_is_done_or_not_done(start: Start, name: str, crash: Crash) -> None:
    several = appended()
    dead = letters(several)
    crash.of_command("requeue_dead")
    left = 0 if name == "requeue-not-answered" else dead
    assert (DeadLetter.objects.dead().count(), Pending.objects.count()) == (left, dead - left)
    assert requeue(ids(several)) == left
    drain(start)
    check(several)


@places("bulk")
def test_a_bulk_action_that_dies_changes_each_letter_once(start: Start, name: str, crash: Crash) -> None:
    several = appended()
    dead, upto = letters(several), ids(several)[-1]
    action = BulkAction.objects.create(verb="requeue", upto=upto, asked_at=timezone.now(), expected=dead)
    crash.of_worker(start)
    action.refresh_from_db()
    assert (DeadLetter.objects.dead().count(), action.cursor, action.changed) == (dead, 0, 0)
    start()
    eventually(lambda: not BulkAction.objects.get().running and none_pending())
    action.refresh_from_db()
    assert (action.cursor, action.changed) == (upto, dead)
    check(several)


@places("prune")
def test_pruning_that_dies_has_deleted_nothing(start: Start, name: str, crash: Crash) -> None:
    several = appended()
    drain(start)
    crash.of_command("prune_events", "--days", "0")
    check(several)
    assert sum(prune(days=0)) == len(several) - 1
    assert list(Event.objects.values_list("did", flat=True)) == ["did:plc:refused"]
    assert not Batch.objects.exists()
    call_command("verify_log", verbosity=0)


@places("lanes")
def test_a_change_of_lanes_that_dies_changes_none(start: Start, name: str, crash: Crash) -> None:
    lanes = Lane.count()
    crash.of_command("change_lanes", "8")
    assert list(Lane.objects.values_list("id", flat=True)) == list(range(lanes))
    several = appended()
    drain(start)
    check(several)


@pytest.mark.postgresql
class TestBackend:
    """It is terminated inside of a statement, or in its COMMIT."""

    @pytest.fixture
    def fired(self, place: str, transactional_db: None) -> Iterator[Fired]:
        with backend_dies_at(place) as fired:
            yield fired

    @pytest.mark.parametrize("loop", [False, True])
    @pytest.mark.parametrize("place", ["before pending", "append at commit"])
    def test_an_append_fails_and_is_repeated(self, start: Start, fired: Fired, place: str, loop: bool) -> None:
        several = sample()
        died = manage("append_events", *["--loop"] * loop, given=json.dumps(several))
        assert fired() and died.returncode == 1 and died.stdout == "", died.stderr
        assert not Event.objects.exists() and not Pending.objects.exists()
        appended(several)
        drain(start)
        check(several)

    @pytest.mark.parametrize("place", ["before letter", "before batch", "batch at commit"])
    def test_a_batch_is_repeated_by_the_same_worker(self, start: Start, fired: Fired, place: str) -> None:
        several = appended()
        drain(start)
        assert fired()
        check(several)
        assert Seen.objects.values("pid").distinct().count() == 1

    @pytest.mark.parametrize("place", ["before pending"])
    def test_a_requeue_fails_and_leaves_the_letters(self, start: Start, place: str) -> None:
        several = appended()
        dead = letters(several)
        with backend_dies_at(place) as fired:
            died = manage("requeue_dead")
            assert fired() and died.returncode == 1 and died.stdout == "", died.stderr
        assert DeadLetter.objects.dead().count() == dead and not Pending.objects.exists()
        assert requeue(ids(several)) == dead
        drain(start)
        check(several)


def test_each_place_has_a_test() -> None:
    assert {name for name, point in POINTS.items() if point.exists} == TESTED
