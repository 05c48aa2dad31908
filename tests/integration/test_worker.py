"""A worker process from its start to its end."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from events.log.dead_letters import bury
from events.models import Batch, Event, Lane, Pending, Worker
from tests.integration.conftest import WorkerProcess, all_done, append, event, eventually, none_pending, states
from tests.recorder.models import Seen
from tests.servers import free_port

Start = Callable[..., WorkerProcess]


def test_drain_ends_when_nothing_is_pending_and_says_goodbye(start: Start) -> None:
    append([event(n, f"did:plc:{n % 7}") for n in range(1000)])
    worker = start("--drain")
    assert worker.wait() == 0, worker.said()
    assert all_done()
    assert Seen.objects.count() == 1000
    row = Worker.objects.get()
    assert row.stopped_at is not None and row.processed == 1000


def test_drain_waits_for_retries(start: Start) -> None:
    ids = append([event(1, do="fail-at-first"), event(2)])
    worker = start("--drain")
    assert worker.wait() == 0
    assert states(ids) == {"done"}
    assert list(Seen.objects.values_list("number", flat=True)) == [1, 2]


def test_an_event_is_applied_soon_after_it_was_appended(start: Start) -> None:
    worker = start()
    eventually(lambda: "worker started" in worker.said())
    ids = append([event(1)])
    eventually(lambda: states(ids) == {"done"})


def test_the_poll_serves_where_nobody_rings(start: Start) -> None:
    worker = start(EVENT_LISTEN="0")
    eventually(lambda: "worker started" in worker.said())
    with connection.cursor() as cursor:  # as one that appends without our code
        Event.objects.create(event_type="test.record", did="did:plc:a", payload={})
        cursor.execute("select 1")
    eventually(all_done)


def test_sigterm_finishes_the_step_in_hand_and_ends_within_5_seconds(start: Start) -> None:
    ids = append([event(1, do="sleep", seconds=1)])
    worker = start()
    eventually(lambda: "worker started" in worker.said())
    time_asked = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.wait(5) == 0
    assert time.monotonic() - time_asked < 5
    assert states(ids) == {"done"}


def test_sigterm_does_not_wait_for_a_step_that_takes_too_long(start: Start) -> None:
    ids = append([event(1, do="sleep", seconds=30)])
    worker = start()
    eventually(lambda: "worker started" in worker.said())
    worker.signal(signal.SIGTERM)
    assert worker.wait(5.5) == 0
    assert states(ids) == {"pending"}
    assert Pending.objects.get().attempts == 0


def test_a_second_sigterm_rolls_back_at_once(start: Start) -> None:
    append([event(1, do="sleep", seconds=30)])
    worker = start()
    eventually(lambda: "worker started" in worker.said())
    worker.signal(signal.SIGTERM)
    eventually(lambda: "worker stopping" in worker.said())
    worker.signal(signal.SIGTERM)
    assert worker.wait(2) == 0
    assert not Seen.objects.exists()


def test_order_within_a_did_holds_under_four_processes(start: Start) -> None:
    dids = [f"did:plc:{n}" for n in range(40)]
    slow = {"do": "sleep", "seconds": 0.0005}  # so that no process does it all before the others have begun
    append([event(n, dids[(n * 7) % 40], priority=(n * 31) % 4, **slow) for n in range(2000)])
    workers = [start() for _ in range(4)]
    eventually(lambda: all("worker started" in worker.said() for worker in workers))
    append([event(n, dids[(n * 7) % 40], priority=(n * 17) % 4, **slow) for n in range(2000, 4000)])
    eventually(all_done, within=60)
    got: dict[str, list[int]] = defaultdict(list)
    for did, number in Seen.objects.order_by("id").values_list("did", "number"):
        got[did].append(number)
    assert {did: sorted(numbers) for did, numbers in got.items()} == got
    assert sum(map(len, got.values())) == 4000
    if connection.vendor == "postgresql":
        assert len(set(Seen.objects.values_list("pid", flat=True))) > 1, "one process did it all: no test of order"
    for worker in workers:
        worker.signal(signal.SIGTERM)


def test_waiting_events_cost_no_worker(start: Start) -> None:
    append([event(n, f"did:plc:failing{n}", do="fail") for n in range(200)])
    worker = start("--workers", "2")
    eventually(lambda: Pending.objects.filter(attempts=1).count() == 200)
    ids = append([event(n, f"did:plc:{n}") for n in range(500)])
    eventually(lambda: states(ids) == {"done"}, within=10, what="done while 200 events wait")
    assert Pending.objects.count() == 200
    assert worker.process.poll() is None


def test_low_events_under_a_flood_of_high_ones_end_within_the_published_bound(start: Start) -> None:
    """docs/architecture.md: after at most 10 * (k / B + L) steps, k events being older in L lanes, B a batch."""
    low = append([event(n, f"did:plc:low{n}", priority=0) for n in range(20)])
    append([event(n, f"did:plc:high{n % 500}", priority=2) for n in range(6000)])
    lanes = Lane.objects.count()
    start("--workers", "1", EVENT_BATCH_SIZE="10")
    bound = 10 * (len(low) / 10 + lanes)
    eventually(lambda: states(low) == {"done"}, within=60)
    last = max(e.finished_at for e in Event.objects.with_state().filter(pk__in=low))
    # Of high priority alone, or nearly: the low ones were 20.
    high_before = sum(len(batch.all_ids) for batch in Batch.objects.filter(finished_at__lt=last))
    assert high_before / 10 <= bound
    assert Pending.objects.filter(priority=2).exists() or high_before < 6000


def test_the_worker_answers_health_probes(start: Start) -> None:
    port = free_port()
    worker = start("--health-port", str(port))
    eventually(lambda: "worker started" in worker.said())
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
        assert answer.status == 200
        assert json.load(answer)["status"] == "ok"


def test_a_worker_whose_environment_names_another_number_of_lanes_serves_those_of_the_log(start: Start) -> None:
    ids = append([event(n, f"did:plc:{n}") for n in range(200)])
    worker = start("--drain", EVENT_LANES="32")
    assert worker.wait() == 0
    assert states(ids) == {"done"}


def test_a_discard_confirmed_while_its_event_is_applied_stays_a_discard(start: Start) -> None:
    (pk,) = append([event(1, do="sleep", seconds=2)])
    worker = start()
    eventually(lambda: "worker started" in worker.said())
    eventually(lambda: is_being_applied(), within=10)
    discarded = bury([pk], discarded=True, note="not wanted")
    if discarded:
        eventually(lambda: Worker.objects.get().heartbeat_at > timezone.now() - timedelta(seconds=1))
        append([event(2, "did:plc:bob")])
        eventually(none_pending)
        assert states([pk]) == {"discarded"}
        assert not Seen.objects.filter(number=1).exists()
    else:  # one writer: the discard had to wait, and came too late
        assert connection.vendor == "sqlite"
        assert states([pk]) == {"done"}
        assert Seen.objects.filter(number=1).count() == 1


def is_being_applied() -> bool:
    """Whether a worker holds a transaction open."""
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and state = 'idle in transaction'"
        )
        return bool(cursor.fetchone()[0])
