"""The low watermarks under late commits and a held vacuum horizon, with workers as they run in production."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connections

import events
from events.envelope import from_mapping
from events.log.verify import verify
from events.models import Event, Pending
from events.worker.batch import BatchRequest, run_batch
from events.worker.watermarks import LowWatermarks
from tests.events.statements import append_in
from tests.integration.conftest import WorkerProcess, all_done, database_url, event, eventually

pytestmark = [pytest.mark.proof, pytest.mark.postgresql]

LATE = 20_000  # events of the transaction that stays open
OPEN = 6.0  # seconds
RATE = 1_000  # events a second
HELD = 180.0  # seconds
WINDOW = 30.0  # seconds that are compared
FLATNESS = 1.2


def append_many(session: psycopg.Connection[Any], count: int) -> None:
    """Append events for the recorder in the session's transaction."""
    for _ in range(count // 1_000):
        several = [from_mapping({**event(n, f"did:plc:{uuid4()}"), "event_id": uuid4()}) for n in range(1_000)]
        append_in(session, *several)


def test_events_of_a_transaction_that_stays_open_are_applied_soon_after_its_commit_by_an_idle_worker(
    start: Callable[..., WorkerProcess], capsys: pytest.CaptureFixture[str]
) -> None:
    """The rule by time found 1,210 of them in 40 s."""
    worker = start()
    eventually(lambda: "worker started" in worker.said())
    with psycopg.connect(database_url()) as late:
        append_many(late, LATE)
        # The watermarks of an idle worker would rise meanwhile, were it not for the open transaction.
        for n in range(int(OPEN)):
            events.append(event(n, "did:plc:other"))
            time.sleep(1.0)
        late.commit()
    committed = time.monotonic()
    eventually(all_done, within=10, what="all applied within 10 s of the commit")
    with capsys.disabled():
        print(f"\n  {LATE:,} events applied {time.monotonic() - committed:.1f} s after their commit", end="")


@contextmanager
def appending(rate: int) -> Iterator[None]:
    """Append so many events a second in a thread."""
    stopped = threading.Event()

    def run() -> None:
        begun, sent = time.monotonic(), 0
        while not stopped.wait(0.004):
            due = int((time.monotonic() - begun) * rate) - sent
            if due:
                events.append([event(n, f"did:plc:{n % 3000}", priority=n % 4) for n in range(sent, sent + due)])
                sent += due
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("writer", [False, True], ids=["reader", "reader and writer"])
def test_batches_stay_as_quick_as_they_were_while_the_horizon_is_held(
    transactional_db: None, writer: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    watermarks, took = LowWatermarks(), []
    with ExitStack() as stack:
        reader = stack.enter_context(psycopg.connect(database_url()))
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select count(*) from events_pending")
        stack.enter_context(appending(RATE))
        late = stack.enter_context(psycopg.connect(database_url()))
        begun, looked, opened = time.monotonic(), 0.0, 0.0
        while (now := time.monotonic() - begun) < HELD:
            if now - looked >= 1.0:
                watermarks.look()
                looked = now
            if writer and now - opened >= 2 * OPEN:
                # One that stays open for some seconds, again and again: it holds the watermarks back.
                late.commit()
                append_many(late, 1_000)
                opened = now
            batch = time.perf_counter()
            result = run_batch(BatchRequest(share=64, limit=300, watermarks=watermarks.current()))
            if result.done:
                took.append((now, time.perf_counter() - batch))
            else:
                time.sleep(0.003)
        late.commit()
    while run_batch(BatchRequest(share=64, limit=300, watermarks=watermarks.current())).done:
        pass
    first, last = (_p99(took, begin) for begin in (0.0, HELD - WINDOW))
    with capsys.disabled():
        print(
            f"\n  batches: p99 {1000 * first:.1f} ms in the first {WINDOW:.0f} s, {1000 * last:.1f} in the last", end=""
        )
    assert not Pending.objects.exists(), "events were stranded"
    assert [fault for _, faults in verify() for fault in faults] == []
    assert Event.objects.count() > 0.9 * RATE * HELD
    if not writer:
        assert last <= FLATNESS * first


def _p99(took: list[tuple[float, float]], begin: float) -> float:
    """Seconds, of the batches in the window that begins then."""
    seconds = sorted(each for at, each in took if begin <= at < begin + WINDOW)
    return seconds[int(0.99 * len(seconds))]
