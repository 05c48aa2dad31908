"""The planner is seen to use the indexes that the statements are made for, whatever it was last told of the tables."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from events.log.database import bound
from events.log.fetch import above, fetch, lock_lanes, set_transaction_limits
from events.log.watermark import lowest_ready
from events.models import Event, Pending

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

NO_WATERMARKS = (0, 0, 0, 0)

# Keys that lie in the lane of their own number, so that lane and key can be told from the row's number.
EVENTS = """
insert into events_event (id, event_id, event_type, did, key, priority, payload, digest, version, received_at)
select n, gen_random_uuid(), 'test.record', 'did:plc:' || mod(n, 500), mod(n, 500), mod(n, 4), '{}',
    gen_random_uuid(), n, now()
from generate_series(%s::bigint, %s::bigint) n
"""
PENDING = """
insert into events_pending (key, id, lane, priority)
select key, id, mod(key, 64), priority from events_event where id > %s
"""
BATCHES = """
insert into events_batch (last_id, first_id, finished_at, worker, ids)
select max(n), min(n), now(), 'w', array_agg(n) from generate_series(1, %s::bigint) n group by (n - 1) / %s
"""
DONE, READY = 20_000, 2_000


def plan(name: str, *, generic: bool = False, **parameters: Any) -> str:
    """How the server runs a statement within a batch's limits, as a worker does.

    With `generic` the plan is one for any parameters, and the planner is free, as it is after a fetch.
    """
    statement, given = bound(name, parameters)
    with transaction.atomic():
        if not generic:
            set_transaction_limits(30)
        with psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(f"set local plan_cache_mode = force_{'generic' if generic else 'custom'}_plan")
            cursor.execute(f"prepare it as {statement}")
            arguments = ", ".join("null" if value is None else f"'{value}'" for value in given)
            rows = cursor.execute(f"explain (analyze, timing off, costs off) execute it ({arguments})").fetchall()
            cursor.execute("deallocate it")
    return "\n".join(row[0] for row in rows)


@pytest.fixture
def never_analyzed() -> None:
    """A log that was analyzed when it was empty, and then filled: 20,000 done, 2,000 ready."""
    with connection.cursor() as cursor:
        for table in ("events_event", "events_pending", "events_batch"):
            cursor.execute(f"alter table {table} set (autovacuum_enabled = off)")
            cursor.execute(f"analyze {table}")
        cursor.execute(EVENTS, [1, DONE + READY])
        cursor.execute(PENDING, [DONE])
        cursor.execute(BATCHES, [DONE, 300])


WATERMARKS: dict[str, Any] = {f"above{priority}": 0 for priority in range(4)} | {"lowest": 0}
SCANS = ("Seq Scan on events_event", "Seq Scan on events_pending", "Seq Scan on events_batch")


@pytest.mark.parametrize("by_age", [False, True])
def test_locking_lanes_walks_the_ready_and_due_indexes(never_analyzed: None, by_age: bool) -> None:
    text = plan("lock", share=64, avoid="{}", by_age=by_age, **WATERMARKS)
    assert "events_ready" in text and "events_due" in text
    assert not any(scan in text for scan in SCANS)


@pytest.mark.parametrize("by_age", [False, True])
def test_fetching_a_batch_walks_the_partial_indexes(never_analyzed: None, by_age: bool) -> None:
    text = plan("fetch", lanes="{5}", limit=300, by_age=by_age, only=None, **WATERMARKS)
    assert "events_ready" in text and "events_due" in text
    assert "events_pending_pkey" in text and "events_blocked" in text
    assert not any(scan in text for scan in SCANS)
    assert "events_event_pkey" in text


def test_a_peek_reads_no_event(never_analyzed: None) -> None:
    text = plan("fetch", lanes="{5}", limit=300, by_age=False, only="{}", **WATERMARKS)
    assert all("never executed" in line or "rows=0" in line for line in text.splitlines() if "on events_event" in line)


def test_completing_finds_the_pending_rows_by_their_place(never_analyzed: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select id, ctid::text from events_pending limit 3")
        rows = cursor.fetchall()
    parameters: dict[str, Any] = {
        "ids": "{" + ",".join(str(id_) for id_, _ in rows) + "}",
        "places": "{" + ",".join(f'"{place}"' for _, place in rows) + "}",
        **{"lane": 1, "processed": 3, "failed": 0, "worker": "w"},
    }
    assert "Tid Scan on events_pending" in plan("complete", **parameters)


def test_completing_finds_them_so_with_the_plan_that_was_kept_from_an_empty_log() -> None:
    parameters: dict[str, Any] = {
        "ids": "{1}",
        "places": '{"(0,1)"}',
        "lane": 1,
        "processed": 1,
        "failed": 0,
        "worker": "w",
    }
    assert "Tid Scan on events_pending" in plan("complete", generic=True, **parameters)


@pytest.mark.parametrize("name", ["depth", "fail", "fetch_suspect"])
def test_an_event_is_looked_up_by_its_id_with_the_plan_that_was_kept_from_an_empty_log(name: str) -> None:
    """To its planner an index that has the id in the second place looked as cheap: five million entries were read."""
    given: dict[str, dict[str, Any]] = {
        "depth": {"limit": 10, **above(NO_WATERMARKS)},
        "fail": {"document": "[]", "worker": "w"},
        "fetch_suspect": {"event": 1},
    }
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze events_event, events_pending")
        cursor.execute("set enable_seqscan = off; set enable_sort = off")
        how = plan(name, generic=True, **given[name]).splitlines()
        cursor.execute("reset enable_seqscan; reset enable_sort")
    looked_up = [(index, condition) for index, condition in pairwise(how) if " on events_event e" in index]
    assert looked_up and all("_pkey" in index or "key =" in condition for index, condition in looked_up), how


def test_the_planner_is_free_again_for_the_processors(never_analyzed: None) -> None:
    with transaction.atomic():
        set_transaction_limits(30)
        lanes = lock_lanes(1, NO_WATERMARKS, by_age=False)
        assert len(fetch(lanes, 10, NO_WATERMARKS, by_age=False)) == 10
        with connection.cursor() as cursor:
            for setting, value in (("enable_seqscan", "on"), ("enable_bitmapscan", "on"), ("plan_cache_mode", "auto")):
                cursor.execute(f"show {setting}")
                assert cursor.fetchone() == (value,)


def test_a_row_that_waits_is_not_in_the_ready_index(never_analyzed: None) -> None:
    Pending.objects.update(available_at="2100-01-01T00:00:00Z")
    with connection.cursor() as cursor:
        cursor.execute("vacuum events_pending")
    text = plan("lock", share=64, avoid="{}", by_age=False, **WATERMARKS)
    assert "rows=0.00" in text or "rows=0" in text
    with transaction.atomic():
        assert lock_lanes(64, NO_WATERMARKS, by_age=False) == []


def test_the_lowest_ready_ids_are_probes_of_the_ready_index(never_analyzed: None) -> None:
    text = plan("lowest_ready", **WATERMARKS)
    assert "events_ready" in text and not any(scan in text for scan in SCANS)
    assert lowest_ready(NO_WATERMARKS) == [DONE + 4, DONE + 1, DONE + 2, DONE + 3]


@pytest.mark.parametrize("size", [300, 1])
def test_the_batch_of_an_event_is_found_within_a_bounded_range(never_analyzed: None, size: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("delete from events_batch")
        cursor.execute(BATCHES, [DONE, size])
        cursor.execute("analyze events_batch")
        # Without a log's statistics, as after a restore.
        for id_, state in ((1, Event.State.DONE), (DONE // 2, Event.State.DONE), (DONE + 1, Event.State.PENDING)):
            cursor.execute("explain (analyze, costs off, timing off) select * from events_state where id = %s", [id_])
            text = "\n".join(row[0] for row in cursor.fetchall())
            assert "events_batch_pkey" in text and "Seq Scan on events_batch" not in text
            assert Event.objects.with_state().get(pk=id_).state == state


def test_an_event_that_is_in_no_table_is_unknown(never_analyzed: None) -> None:
    Pending.objects.filter(id=DONE + 1).delete()
    assert Event.objects.with_state().get(pk=DONE + 1).state == Event.State.UNKNOWN
