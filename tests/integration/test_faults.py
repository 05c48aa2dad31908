"""Workers that stop, die and hang, and the events that make them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import psycopg
import pytest
from django.db import connection

from events.models import DeadLetter, Event
from tests.integration.conftest import (
    WorkerProcess,
    all_done,
    append,
    database_url,
    event,
    eventually,
    none_pending,
    states,
)
from tests.integration.test_worker import is_being_applied
from tests.recorder.models import Seen, Tally

Start = Callable[..., WorkerProcess]


def running(worker: WorkerProcess) -> WorkerProcess:
    eventually(lambda: "worker started" in worker.said(), what="worker started")
    return worker


def keep_running(start: Start, *arguments: str, until: Callable[[], bool], within: float, **environment: str) -> int:
    """Run a worker and start it again whenever it dies, as a platform does; how often it died."""
    end = time.monotonic() + within
    deaths = 0
    worker = start(*arguments, **environment)
    while not until():
        assert time.monotonic() < end, f"not within {within} s; the last worker said: {worker.said()}"
        if worker.ended:
            deaths += 1
            worker = start(*arguments, **environment)
        time.sleep(0.02)
    return deaths


@pytest.mark.postgresql
def test_a_stopped_holder_loses_its_lanes_in_time_and_woken_writes_nothing(start: Start) -> None:
    ids = append([event(1, do="sleep", seconds=0.7), event(2, "did:plc:bob")])
    stopped = running(start(EVENT_BATCH_TIMEOUT="2"))
    eventually(is_being_applied)
    stopped.signal(signal.SIGSTOP)
    other = running(start(EVENT_BATCH_TIMEOUT="2"))
    eventually(lambda: states(ids) == {"done"})
    stopped.signal(signal.SIGCONT)
    more = append([event(3), event(4, "did:plc:carol")])
    eventually(lambda: states(more) == {"done"})
    assert sorted(Seen.objects.values_list("number", flat=True)) == [1, 2, 3, 4], "each once"
    assert set(Seen.objects.filter(number__in=(1, 2)).values_list("pid", flat=True)) == {other.pid}


@pytest.mark.postgresql
def test_a_killed_holder_s_lanes_go_on_at_once(start: Start) -> None:
    holder = running(start())
    ids = append([event(n, f"did:plc:{n}", do="sleep", seconds=30) for n in range(2)])
    eventually(is_being_applied)
    other = running(start())
    # What the other worker finds is the same event, but quick: the time measured is that of finding it.
    Event.objects.filter(pk__in=ids).update(payload={"n": 9})
    holder.kill()
    eventually(all_done, what="done long before the batch timeout")
    assert list(Seen.objects.values_list("pid", flat=True)) == [other.pid] * 2


def test_an_event_that_kills_its_process_is_dead_after_three_deaths_alone_and_its_neighbours_done(
    start: Start,
) -> None:
    neighbours = [event(n, f"did:plc:{n}") for n in range(30)]
    ids = append([*neighbours[:15], event(99, "did:plc:killer", do="die"), *neighbours[15:]])
    deaths = keep_running(start, until=none_pending, within=60)
    killer = DeadLetter.objects.get(did="did:plc:killer")
    assert "3 times" in killer.error
    assert states([pk for pk in ids if pk != killer.pk]) == {"done"}
    assert Seen.objects.count() == 30
    # Once by surprise, once announced among others, three times alone.
    assert deaths == 5


def test_a_processor_that_never_returns_ends_its_process_and_then_is_dead(start: Start) -> None:
    ids = append([event(1, do="loop"), event(2, "did:plc:bob")])
    deaths = keep_running(start, until=none_pending, within=60, EVENT_BATCH_TIMEOUT="1")
    assert deaths == 5
    assert states(ids[:1]) == {"dead"} and states(ids[1:]) == {"done"}


def test_the_stack_of_a_batch_that_hangs_is_logged(start: Start) -> None:
    append([event(1, do="loop")])
    worker = start(EVENT_BATCH_TIMEOUT="1")
    assert worker.wait() == 70
    assert "a batch has not ended" in worker.said()
    assert "tests/recorder/processors.py" in worker.said()


@pytest.mark.postgresql
def test_a_statement_that_outlives_the_batch_is_dead_in_the_end_and_no_process_with_it(start: Start) -> None:
    ids = append([event(1, do="sleep-in-database", seconds=60), event(2, "did:plc:bob")])
    worker = start(EVENT_BATCH_TIMEOUT="1")
    eventually(none_pending, within=30)
    assert states(ids[:1]) == {"dead"} and states(ids[1:]) == {"done"}
    assert not worker.ended


@pytest.mark.postgresql
def test_terminated_backends_cost_no_attempt(start: Start) -> None:
    ids = append([event(n, f"did:plc:{n}", do="sleep", seconds=0.02) for n in range(60)])
    worker = running(start("--workers", "2"))
    for _ in range(5):
        eventually(lambda: is_being_applied() or all_done())
        with connection.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
    eventually(all_done, within=30)
    assert set(Event.objects.with_state().filter(pk__in=ids).values_list("attempts", flat=True)) == {1}
    assert Seen.objects.count() == 60
    assert not worker.ended
    assert "Traceback" not in worker.said()


@pytest.mark.postgresql
def test_a_deadlock_costs_no_attempt(start: Start) -> None:
    """The worker's transaction takes row 1 and waits for row 2, which the test holds while it asks for row 1."""
    for key in (1, 2):
        Tally.objects.create(id=key)
    worker = running(start())
    with psycopg.connect(database_url()) as rival:
        rival.execute("set deadlock_timeout = '60s'")  # so that the worker's transaction is the victim
        rival.execute("update recorder_tally set total = 0 where id = 2")
        ids = append([event(1, event_type="test.cross", forth=True)])
        eventually(is_waiting_for_a_lock)
        rival.execute("update recorder_tally set total = 0 where id = 1")
    eventually(lambda: states(ids) == {"done"})
    assert Event.objects.with_state().get().attempts == 1
    assert sorted(Tally.objects.values_list("total", flat=True)) == [1, 1]
    assert "Traceback" not in worker.said()


def is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.proof
@pytest.mark.parametrize("processes", [pytest.param(4, marks=pytest.mark.postgresql), 1])
def test_workers_killed_at_random_for_a_minute_leave_no_event_dead(start: Start, processes: int) -> None:
    import random

    chance = random.Random(7)
    workers = [start() for _ in range(processes)]
    sent = 0
    end = time.monotonic() + 60
    while time.monotonic() < end:
        append([event(n, f"did:plc:{n % 50}") for n in range(sent, sent + 300)])
        sent += 300
        time.sleep(chance.random())
        victim = chance.randrange(processes)
        workers[victim].kill()
        workers[victim] = start()
    eventually(none_pending, within=120)
    assert all_done()
    assert Seen.objects.count() == sent
