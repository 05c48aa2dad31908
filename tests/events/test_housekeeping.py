"""Forgetting what is old: what ended long ago, and nothing else."""

from __future__ import annotations

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from model_bakery import baker
from structlog.testing import CapturingLogger

from events.management.commands import requeue_dead
from events.models import Event
from events.worker import housekeeping
from events.worker.housekeeping import prune

pytestmark = pytest.mark.django_db


def aged(days: float, state: Event.State) -> Event:
    moment = timezone.now() - timedelta(days=days)
    event = baker.make(Event, state=state, received_at=moment)
    Event.objects.filter(pk=event.pk).update(finished_at=moment)
    return event


def test_done_and_discarded_events_go_after_the_retention_and_dead_and_pending_ones_stay() -> None:
    gone = [aged(40, Event.State.DONE), aged(39, Event.State.DISCARDED)]
    kept = [aged(38, Event.State.DEAD), aged(37, Event.State.PENDING), aged(3, Event.State.DONE)]
    assert sum(prune(days=30)) == len(gone)
    assert set(Event.objects.all()) == set(kept)


def test_pruning_ends_at_the_first_young_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "CHUNK", 2)
    for days in (40, 40, 40, 1, 1, 1, 1):
        aged(days, Event.State.DONE)
    assert list(prune(days=30)) == [2, 1]


def test_pruning_stops_between_two_chunks_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "CHUNK", 1)
    for _ in range(5):
        aged(40, Event.State.DONE)
    stopped = threading.Event()
    stopped.set()
    assert list(prune(days=30, stopped=stopped)) == [1]


def test_the_command_says_how_many() -> None:
    aged(40, Event.State.DONE)
    out = StringIO()
    call_command("prune_events", days=30.0, stdout=out)
    assert out.getvalue() == "1 events pruned\n"


def test_requeue_dead_takes_all_or_those_that_match_and_leaves_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(requeue_dead, "logger", lines)
    for reason in ("ValueError: strength", "KeyError: uri"):
        event = aged(1, Event.State.DEAD)
        Event.objects.filter(pk=event.pk).update(last_error=reason)
    out = StringIO()
    call_command("requeue_dead", reason="strength", stdout=out)
    call_command("requeue_dead", stdout=out)
    assert out.getvalue() == "1 events requeued\n" * 2
    assert [(call.kwargs["by"], call.kwargs["chosen"]) for call in lines.calls] == [
        ("requeue_dead", {"reason": "strength"}),
        ("requeue_dead", {}),
    ]
