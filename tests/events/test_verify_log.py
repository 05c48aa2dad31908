"""Each event is in exactly one place; what is not is found, by the command and by the background audit."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from model_bakery import baker

from events.log import verify
from events.log.verify import Auditor, verify_range
from events.models import Audit, Batch, Event, Pending, Worker
from events.stats import figures
from health.checks import event_pipeline
from tests.events.states import dead, done, pending, pending_row

pytestmark = pytest.mark.django_db

UNKNOWN = "in no table: it would never be applied"


def healthy_log() -> list[Event]:
    batch = [done() for _ in range(3)]
    return [*batch, pending(), pending(available_at=timezone.now(), suspect=True), dead().event]


def faults() -> dict[int, str]:
    return dict(verify_range(0, 2**60))


def test_a_healthy_log_has_no_fault() -> None:
    healthy_log()
    dead(discarded_at=timezone.now())
    out = StringIO()
    call_command("verify_log", stdout=out)
    assert out.getvalue() == f"no fault in the log up to event {Event.objects.latest('id').pk}\n"


def test_an_event_in_no_table_is_found_and_the_command_fails() -> None:
    lost = healthy_log()[3]
    pending_row(lost).delete()
    assert faults() == {lost.pk: UNKNOWN}
    err = StringIO()
    with pytest.raises(CommandError, match="1 faults in the log"):
        call_command("verify_log", stderr=err)
    assert err.getvalue() == f"event {lost.pk}: {UNKNOWN}\n"


@pytest.mark.parametrize("second", ["pending", "dead", "batch"])
def test_an_event_in_two_places_is_found(second: str) -> None:
    event = done() if second != "batch" else pending()
    if second == "pending":
        Pending.objects.create(key=event.key, id=event.pk, lane=1, priority=1)
    elif second == "dead":
        baker.make("events.DeadLetter", event=event)
    else:
        Batch.objects.create(last_id=event.pk + 10, first_id=event.pk, ids=[event.pk, event.pk + 10])
    assert faults()[event.pk] == "in 2 places at once"


def test_a_batch_that_spans_the_border_of_two_chunks_is_seen_from_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CHUNK", 2)
    events = [done() for _ in range(5)]
    Batch.objects.all().delete()
    ids = [event.pk for event in events]
    Batch.objects.create(last_id=ids[-1], first_id=ids[0], ids=ids)
    assert [found for _, found in verify.verify(after=ids[0] - 1)] == [[], [], []]


def test_a_pending_event_of_a_lane_that_does_not_exist_is_found() -> None:
    event = pending()
    pending_row(event).update(lane=64)
    with pytest.raises(CommandError, match="1 faults"):
        call_command("verify_log", stderr=StringIO())


def test_an_event_outside_of_the_lanes_is_counted_once_however_many_chunks_the_log_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verify, "CHUNK", 2)
    for _ in range(6):
        event = pending()
    pending_row(event).update(lane=64)
    whole_pass()
    audit = Audit.objects.get()
    assert (audit.faults, audit.examples) == (1, [event.pk])


def whole_pass() -> None:
    """Advance the audit from the first event to the log's end."""
    first = Event.objects.earliest("id").pk
    Audit.objects.update_or_create(pk=Audit.ONLY, defaults={"completed_at": None, "last_id": first - 1})
    while Audit.objects.filter(completed_at=None).exists():
        Auditor().advance()


def health() -> Any:
    now = timezone.now()
    baker.make(Worker, started_at=now, heartbeat_at=now, stopped_at=None, died_at=None)
    return event_pipeline()


def test_the_background_audit_walks_the_log_a_chunk_at_a_time_and_health_reports_what_it_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verify, "CHUNK", 4)
    lost = healthy_log()[3]
    pending_row(lost).delete()
    whole_pass()
    audit = Audit.objects.get()
    assert (audit.faults, audit.examples, audit.last_id) == (1, [lost.pk], 0)
    assert figures().faults == 1
    assert health().reason == "the audit found events in no known state"


def test_a_pass_of_the_audit_ends_though_events_are_appended_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CHUNK", 4)
    stray = pending()
    pending_row(stray).update(lane=64)
    Audit.objects.create(pk=Audit.ONLY, last_id=stray.pk - 1)
    for _ in range(3):
        pending()
        Auditor().advance()
    audit = Audit.objects.get()
    assert (audit.completed_at is not None, audit.faults) == (True, 1)


def test_a_fault_that_is_gone_is_forgotten_with_the_next_whole_pass() -> None:
    lost = pending()
    row = pending_row(lost).get()
    pending_row(lost).delete()
    whole_pass()
    assert Audit.objects.get().faults == 1
    row.save(force_insert=True)
    for _ in range(2):
        whole_pass()
    audit = Audit.objects.get()
    assert (audit.faults, audit.examples) == (0, [])
