"""Pruning deletes what ended long ago, and nothing else."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from structlog.testing import CapturingLogger

from events.management.commands import requeue_dead
from events.models import Batch, DeadLetter, Event
from events.worker import pruner
from events.worker.pruner import prune
from tests.events.states import dead, done, pending, state_of

pytestmark = pytest.mark.django_db


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def test_done_and_discarded_events_go_after_the_retention_and_dead_and_pending_ones_stay() -> None:
    done(finished_at=ago(40), received_at=ago(40))
    dead(died_at=ago(39), discarded_at=ago(39), received_at=ago(39))
    kept = [
        dead(died_at=ago(38), received_at=ago(38)).event,
        pending(received_at=ago(37)),
        done(finished_at=ago(3)),
        dead(died_at=ago(40), discarded_at=ago(1)).event,
    ]
    assert sum(prune(days=30)) == 2
    assert set(Event.objects.all()) == set(kept)
    assert (Batch.objects.count(), DeadLetter.objects.count()) == (1, 2)


@pytest.mark.postgresql
def test_a_host_whose_clock_is_ahead_prunes_nothing_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    done(finished_at=ago(3))
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(days=365))
    assert sum(prune(days=30)) == 0


def test_an_old_letter_is_kept_as_long_after_it_was_requeued_and_done_as_any_other_event() -> None:
    old = done(received_at=ago(40), finished_at=ago(1))
    assert sum(prune(days=30)) == 0
    assert state_of(old).state == Event.State.DONE


def test_pruning_ends_at_the_first_young_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruner, "CHUNK", 2)
    for days in (40, 40, 40, 1, 1, 1, 1):
        done(finished_at=ago(days))
    assert list(prune(days=30)) == [2, 1]


def test_pruning_goes_on_behind_a_chunk_of_old_events_that_were_done_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruner, "CHUNK", 2)
    for days in (1, 1, 1, 40):
        done(received_at=ago(41), finished_at=ago(days))
    assert sum(prune(days=30)) == 1


def test_a_batch_goes_whole_however_many_events_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruner, "CHUNK", 2)
    events = [done(finished_at=ago(40)) for _ in range(5)]
    Batch.objects.all().delete()
    ids = [event.pk for event in events]
    Batch.objects.create(last_id=ids[-1], first_id=ids[0], ids=ids, finished_at=ago(40))
    assert list(prune(days=30)) == [5]
    assert not Event.objects.exists()


def test_pruning_stops_between_two_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruner, "CHUNK", 1)
    for _ in range(5):
        done(finished_at=ago(40))
    stopped = threading.Event()
    stopped.set()
    assert list(prune(days=30, stopped=stopped)) == [1]


def test_the_command_says_how_many() -> None:
    done(finished_at=ago(40))
    out = StringIO()
    call_command("prune_events", days=30.0, stdout=out)
    assert out.getvalue() == "1 events pruned\n"


def test_requeue_dead_takes_all_or_those_that_match_and_leaves_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(requeue_dead, "logger", lines)
    for reason in ("ValueError: strength", "KeyError: uri"):
        dead(error=reason)
    out = StringIO()
    call_command("requeue_dead", reason="strength", stdout=out)
    call_command("requeue_dead", stdout=out)
    assert out.getvalue() == "1 events requeued\n" * 2
    assert [(call.kwargs["by"], call.kwargs["chosen"]) for call in lines.calls] == [
        ("requeue_dead", {"reason": "strength"}),
        ("requeue_dead", {}),
    ]
