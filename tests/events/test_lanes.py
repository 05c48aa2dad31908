"""Lanes are a property of the log: their number is read there, whatever a process's environment says."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from model_bakery import baker
from pytest_django import Settings

import events
from events.lanes import did_key, lane_of
from events.models import Event, Lane, Pending, Worker
from health.checks import event_pipeline
from tests.events.conftest import Background

DIDS = [f"did:plc:{n}" for n in range(200)]


def event(did: str) -> dict[str, Any]:
    return {"event_type": "test.record", "did": did, "payload": {}}


@given(st.text(max_size=2048))
def test_a_key_is_a_signed_64_bit_number(did: str) -> None:
    assert -(2**63) <= did_key(did) < 2**63


def test_the_key_of_a_did_never_changes() -> None:
    """The log stores it."""
    assert did_key("did:plc:alice") == -429_274_686_664_533_880


@pytest.mark.django_db
def test_the_statement_and_the_model_choose_the_same_lane_for_negative_keys_too() -> None:
    events.append([event(did) for did in DIDS])
    Event.objects.bulk_create(Event(event_type="test.record", did=did) for did in DIDS)
    assert min(Pending.objects.values_list("key", flat=True)) < 0
    for key, lane in Pending.objects.values_list("key", "lane"):
        assert lane == lane_of(key, 64)
    assert set(Pending.objects.values_list("lane", flat=True)) == set(
        Event.objects.with_state().values_list("lane", flat=True)
    )


@pytest.mark.django_db
def test_a_process_whose_environment_names_another_number_of_lanes_strands_nothing(settings: Settings) -> None:
    settings.EVENT_LANES = 100
    events.append([event(did) for did in DIDS])
    assert max(Pending.objects.values_list("lane", flat=True)) < Lane.count() == 64
    now = timezone.now()
    baker.make(Worker, started_at=now, heartbeat_at=now, stopped_at=None, died_at=None)
    assert event_pipeline().reason == "EVENT_LANES differs from the log's number of lanes"


@pytest.mark.django_db
def test_lanes_change_when_nothing_is_pending_and_only_then() -> None:
    made = Event.objects.create(event_type="test.record", did=DIDS[0])
    with pytest.raises(CommandError, match="events are pending"):
        call_command("change_lanes", "32")
    assert Lane.count() == 64
    Pending.objects.filter(id=made.pk).delete()
    out = StringIO()
    call_command("change_lanes", "32", stdout=out)
    assert "set EVENT_LANES to 32" in out.getvalue()
    events.append([event(did) for did in DIDS])
    assert set(Pending.objects.values_list("lane", flat=True)) <= set(range(32))


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["0", "-1", "40000"])
def test_a_number_of_lanes_that_cannot_be_is_refused(number: str) -> None:
    with pytest.raises(CommandError, match="from 1 to 32767"):
        call_command("change_lanes", "--", number)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_an_append_that_has_read_the_number_of_lanes_commits_before_it_changes(
    background: type[Background],
) -> None:
    from events.wakeup import bare_connection

    with bare_connection() as appender:
        appender.autocommit = False
        appender.execute("select max(id) + 1 from events_lane")
        changing = background(lambda: call_command("change_lanes", "32", stdout=StringIO()))
        changing.until(_waits_for_a_lock)
        appender.execute(
            "insert into events_pending (key, id, lane, priority, available_at) values (1, 1, 63, 1, null)"
        )
        appender.commit()
        with pytest.raises(CommandError, match="events are pending"):
            changing.join()
    assert Lane.count() == 64


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_locks where not granted and relation = 'events_lane'::regclass")
        return bool(cursor.fetchone()[0])
