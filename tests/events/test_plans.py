"""The planner is seen to use the partial indexes, whatever it was last told of the table."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from events.log import postgres
from events.log.postgres.binding import cursor as bare_cursor
from events.log.postgres.taking import LOCK, READ
from events.models import Event, Lane
from events.worker.floors import NONE

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

ROWS = """
insert into events_event (event_id, event_type, did, lane, priority, payload, digest, version, state, attempts, crashes,
    suspect, available_at, received_at, finished_at, last_error)
select gen_random_uuid(), 'test.record', 'did:plc:' || mod(n, 500), mod(n, 64), mod(n, 4), '{}', 'x', n,
    %s, 0, 0, false, now(), now(), now(), ''
from generate_series(1, %s) n
"""


def plan(statement: str, parameters: dict[str, Any]) -> str:
    """How the server runs a statement behind the fence, as a step does."""
    with transaction.atomic():
        postgres.fence(connection, 30)
        with bare_cursor(connection) as cursor:
            cursor.execute("set local plan_cache_mode = force_custom_plan")
            names = list(parameters)
            numbered = statement
            for number, name in enumerate(names, start=1):
                numbered = numbered.replace(f"%({name})s", f"${number}")
            cursor.execute(f"prepare it as {numbered}")
            arguments = ", ".join(f"'{parameters[name]}'" for name in names)
            rows = cursor.execute(f"explain (analyze, timing off, costs off) execute it ({arguments})").fetchall()
            cursor.execute("deallocate it")
    return "\n".join(row[0] for row in rows)


@pytest.fixture
def never_analyzed() -> None:
    """A log that was analyzed when it was empty, and then filled: 20,000 done, 2,000 pending."""
    Lane.ensure()
    with connection.cursor() as cursor:
        cursor.execute("alter table events_event set (autovacuum_enabled = off)")
        cursor.execute("analyze events_event")
        cursor.execute(ROWS.replace("%s", "1", 1), [20_000])
        cursor.execute(ROWS.replace("%s", "0", 1), [2_000])


FLOORS = {f"floor{priority}": 0 for priority in range(4)}


@pytest.mark.parametrize("by_age", [False, True])
def test_locking_lanes_walks_the_ready_index(never_analyzed: None, by_age: bool) -> None:
    text = plan(LOCK[by_age], {"share": 64, **FLOORS})
    assert "events_ready" in text and "events_deferred" in text
    assert "Seq Scan on events_event" not in text
    assert "events_event_pkey" not in text


@pytest.mark.parametrize("by_age", [False, True])
def test_reading_a_batch_walks_the_partial_indexes(never_analyzed: None, by_age: bool) -> None:
    text = plan(READ[by_age], {"lanes": "{5}", "limit": 300, **FLOORS})
    assert "events_ready" in text and "events_unfinished" in text
    assert "Seq Scan on events_event" not in text
    assert "events_event_pkey" not in text


def test_the_planner_is_free_again_for_the_processors(never_analyzed: None) -> None:
    with transaction.atomic():
        postgres.fence(connection, 30)
        lanes = postgres.lock_lanes(connection, 1, NONE, by_age=False)
        assert len(postgres.read(connection, lanes, 10, NONE, by_age=False)) == 10
        with connection.cursor() as cursor:
            for setting, value in (("enable_seqscan", "on"), ("enable_bitmapscan", "on"), ("plan_cache_mode", "auto")):
                cursor.execute(f"show {setting}")
                assert cursor.fetchone() == (value,)


def test_an_event_that_waits_is_not_in_the_ready_index(never_analyzed: None) -> None:
    Event.objects.pending().update(available_at="2100-01-01T00:00:00Z")
    with connection.cursor() as cursor:
        cursor.execute("vacuum events_event")
    text = plan(LOCK[False], {"share": 64, **FLOORS})
    assert "rows=0.00" in text or "rows=0" in text
    with transaction.atomic():
        assert postgres.lock_lanes(connection, 64, NONE, by_age=False) == []


def test_the_first_event_of_a_log_is_under_no_floor() -> None:
    Lane.ensure()
    with connection.cursor() as cursor:
        cursor.execute("truncate events_event restart identity")
    empty = postgres.floors(connection, NONE)
    Event.objects.create(event_type="test.record", did="did:plc:a")
    with transaction.atomic():
        assert len(postgres.lock_lanes(connection, 64, empty, by_age=False)) == 1


def test_floors_lie_below_what_is_ready_and_above_what_is_done(never_analyzed: None) -> None:
    first = Event.objects.pending().earliest("id").pk
    found = postgres.floors(connection, NONE)
    assert min(found) == first - 1
    Event.objects.pending().update(state=Event.State.DONE)
    last = Event.objects.latest("id").pk
    assert postgres.floors(connection, found) == [last] * 4
