"""The low watermarks: no event is stranded below them, however late its transaction commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from structlog.testing import capture_logs

from events.envelope import NewEvent, from_mapping
from events.log import watermark
from events.models import Event, Pending
from events.wakeup import bare_connection
from events.worker.batch import BatchRequest, Result, run_batch
from events.worker.watermarks import LowWatermarks
from tests.events.statements import append_in

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

ALICE = "did:plc:alice"
OTHERS = (
    "select backend_xid::text from pg_stat_activity where datname <> current_database() and backend_xid is not null"
)
WAITING_FOR_LOCK = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and pid = %s"


def one(event_id: str | None = None, did: str = ALICE) -> NewEvent:
    """An event that may be appended."""
    event = {"event_type": "test.record", "did": did, "payload": {}, "event_id": event_id or str(uuid4())}
    return from_mapping(event)


@contextmanager
def writer() -> Iterator[psycopg.Connection[Any]]:
    """A connection with an open transaction."""
    with bare_connection() as session:
        session.autocommit = False
        yield session


def apply_all(watermarks: LowWatermarks) -> int:
    """Run batches above the watermarks until one is empty; the number of events applied."""
    applied = 0
    while (result := batch(watermarks)).done:
        applied += result.done
    return applied


def batch(watermarks: LowWatermarks) -> Result:
    return run_batch(BatchRequest(share=64, limit=300, watermarks=watermarks.current()))


def settle(watermarks: LowWatermarks) -> None:
    """Look until nothing more can be learned: a sample is taken, is safe, and is used."""
    for _ in range(4):
        watermarks.look()
        _let_others_end()


def _let_others_end() -> None:
    """Transactions in other databases of the server hold the horizon back too: those that run now are waited for."""
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
        running = {xid for (xid,) in cursor.fetchall()}
        end = time.monotonic() + 60
        while running:
            assert time.monotonic() < end, "a transaction in another database does not end"
            time.sleep(0.005)
            cursor.execute(OTHERS)
            running &= {xid for (xid,) in cursor.fetchall()}


@pytest.fixture
def watermarks() -> LowWatermarks:
    connection.ensure_connection()
    return LowWatermarks()


def test_the_watermarks_rise_to_the_last_id_when_nothing_is_ready(watermarks: LowWatermarks) -> None:
    Event.objects.create(event_type="test.record", did=ALICE)
    assert apply_all(watermarks) == 1
    settle(watermarks)
    assert watermarks.current() == (Event.objects.get().pk,) * 4


def test_a_watermark_lies_below_the_smallest_ready_id_of_its_priority(watermarks: LowWatermarks) -> None:
    low = Event.objects.create(event_type="test.record", did=ALICE, priority=0)
    last = Event.objects.create(event_type="test.record", did=ALICE, priority=3)
    settle(watermarks)
    assert watermarks.current() == (low.pk - 1, last.pk, last.pk, last.pk - 1)


def test_an_open_writer_holds_the_watermarks_back_and_its_events_are_found_after_its_commit(
    watermarks: LowWatermarks,
) -> None:
    with writer() as late:
        append_in(late, one())
        Event.objects.create(event_type="test.record", did="did:plc:bob")
        assert apply_all(watermarks) == 1
        settle(watermarks)
        assert max(watermarks.current()) == 0
        late.commit()
    assert apply_all(watermarks) == 1
    settle(watermarks)
    assert watermarks.current() == (Event.objects.latest("id").pk,) * 4


def test_an_open_reader_holds_nothing_back(watermarks: LowWatermarks) -> None:
    with writer() as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select count(*) from events_event")
        Event.objects.create(event_type="test.record", did=ALICE)
        apply_all(watermarks)
        settle(watermarks)
        assert watermarks.current() == (Event.objects.get().pk,) * 4


# Rule 1


def test_a_column_default_draws_an_id_only_in_a_transaction_that_has_an_xid() -> None:
    with writer() as session:
        session.execute("select nextval('events_event_id_seq')")  # a call of every 32nd would take one by itself
        session.rollback()
        row = session.execute(
            "select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = 'events_event'::regclass"
            " and adnum = (select attnum from pg_attribute where attrelid = adrelid and attname = 'id')"
        ).fetchone()
        assert row
        session.execute(f"select {row[0]}")
        drawn = session.execute("select pg_current_xact_id_if_assigned() is not null").fetchone()
        assert drawn == (True,)


def test_an_append_that_waits_for_a_conflicting_one_strands_none_of_its_events(
    watermarks: LowWatermarks, background: Callable[..., Any]
) -> None:
    """It has drawn its ids and inserted nothing yet: without an xid, no snapshot would know of it."""
    conflicting = str(uuid4())
    with writer() as first, writer() as second:
        second.execute("select nextval('events_event_id_seq')")
        second.rollback()
        append_in(first, one(conflicting))
        appending = background(lambda: append_in(second, one(conflicting)))
        appending.until(lambda: waits_for_a_lock(second))
        Event.objects.create(event_type="test.record", did="did:plc:bob")
        apply_all(watermarks)
        settle(watermarks)
        first.rollback()
        appending.join()
        settle(watermarks)
        second.commit()
    assert apply_all(watermarks) == 1


def waits_for_a_lock(session: psycopg.Connection[Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING_FOR_LOCK, [session.info.backend_pid])
        return cursor.fetchone() == (1,)


# Rule 2


def test_the_last_id_is_read_before_the_xid(watermarks: LowWatermarks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that draws its id between the two must have the smaller xid."""
    Event.objects.create(event_type="test.record", did="did:plc:bob")
    apply_all(watermarks)
    with writer() as late:
        last_id = watermark.last_id

        def after_a_writer_came() -> int:
            monkeypatch.setattr(watermark, "last_id", last_id)
            append_in(late, one())
            return last_id()

        monkeypatch.setattr(watermark, "last_id", after_a_writer_came)
        settle(watermarks)
        late.commit()
    assert apply_all(watermarks) == 1


def test_an_idle_log_costs_no_xids(watermarks: LowWatermarks, monkeypatch: pytest.MonkeyPatch) -> None:
    Event.objects.create(event_type="test.record", did=ALICE)
    apply_all(watermarks)
    settle(watermarks)
    monkeypatch.setattr(watermark, "xid", lambda: pytest.fail("a sample was taken"))
    settle(watermarks)


# Rule 3


def test_the_smallest_ready_ids_are_read_after_the_horizon(
    watermarks: LowWatermarks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that commits just before the horizon is read must be seen by what reads the ready rows."""
    with writer() as late:
        append_in(late, one())
        settle(watermarks)
        horizon = watermark.horizon

        def after_the_commit() -> tuple[int, int]:
            late.commit()
            return horizon()

        monkeypatch.setattr(watermark, "horizon", after_the_commit)
        watermarks.look()
    assert apply_all(watermarks) == 1


def test_a_row_that_is_not_ready_is_found_wherever_it_lies(watermarks: LowWatermarks) -> None:
    first = Event.objects.create(event_type="test.record", did=ALICE)
    Event.objects.create(event_type="test.record", did="did:plc:bob")
    apply_all(watermarks)
    settle(watermarks)
    Pending.objects.create(key=first.key, id=first.pk, lane=first.key % 64, priority=1, available_at=first.received_at)
    assert min(watermarks.current()) > first.pk
    assert apply_all(watermarks) == 1


# Rule 4


@pytest.fixture
def risen(watermarks: LowWatermarks) -> LowWatermarks:
    """Watermarks above zero."""
    for _ in range(3):
        Event.objects.create(event_type="test.record", did=ALICE)
    apply_all(watermarks)
    settle(watermarks)
    assert min(watermarks.current()) > 0
    return watermarks


def test_a_new_connection_begins_anew(risen: LowWatermarks) -> None:
    connection.close()
    connection.ensure_connection()
    assert max(risen.current()) == 0


@pytest.mark.parametrize("value", ["last_id", "xid"])
def test_an_id_or_an_xid_that_goes_back_begins_anew(
    risen: LowWatermarks, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """As after a failover to a standby that was behind, or a restore."""
    Event.objects.create(event_type="test.record", did=ALICE)
    monkeypatch.setattr(watermark, value, lambda: 1)
    risen.look()
    assert max(risen.current()) == 0


def test_a_server_that_was_started_anew_begins_anew_behind_a_pooler_too(
    risen: LowWatermarks, monkeypatch: pytest.MonkeyPatch
) -> None:
    xmin, started = watermark.horizon()
    monkeypatch.setattr(watermark, "horizon", lambda: (xmin, started + 1))
    risen.look()
    assert max(risen.current()) == 0


def test_what_was_learned_on_a_lost_connection_is_not_used(
    risen: LowWatermarks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread connects, to another server maybe, between the look's first statement and its last."""
    lowest = watermark.lowest_ready

    def after_a_reset(above: Any) -> Any:
        risen.reset()
        return lowest(above)

    monkeypatch.setattr(watermark, "lowest_ready", after_a_reset)
    risen.look()
    assert max(risen.current()) == 0


# Rule 5


def test_the_audit_finds_a_ready_row_below_its_watermark_and_begins_anew(risen: LowWatermarks) -> None:
    event = Event.objects.earliest("id")
    Pending.objects.create(key=event.key, id=event.pk, lane=event.key % 64, priority=event.priority)
    with capture_logs() as logs:
        risen.audit()
    [line] = logs
    assert (line["log_level"], line["ids"]) == ("error", [event.pk])
    assert max(risen.current()) == 0
    assert apply_all(risen) == 1


def test_the_audit_says_nothing_where_there_is_nothing_to_say(risen: LowWatermarks) -> None:
    before = risen.current()
    with capture_logs() as logs:
        risen.audit()
    assert logs == [] and risen.current() == before
