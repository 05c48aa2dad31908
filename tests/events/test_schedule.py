"""When a worker's next step runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from events.models import Lane, Pending
from events.worker import schedule
from events.worker.batch import BatchRequest, Result
from events.worker.runner import Runner
from tests.events.states import pending
from tests.recorder.models import Seen


@asynccontextmanager
async def joined(slots: int = 1) -> AsyncIterator[Runner]:
    """A worker that has joined, and that looks for events only when it is woken."""
    worker = Runner(slots)
    await worker._join()
    yield worker
    while not await worker.schedule.finish(10):
        pass
    threads = len(worker.threads._pool._threads)
    together = threading.Barrier(threads)  # one call for each thread

    def close() -> None:
        connections.close_all()
        together.wait(30)

    await asyncio.gather(*[worker.threads.run(close) for _ in range(threads)])
    worker.watchdog.stop()
    worker.threads.end()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("dids", [["did:plc:alice"] * 5, [f"did:plc:{n}" for n in range(5)]], ids=["one", "several"])
def test_suspects_run_one_after_another_without_a_poll_between_them(dids: list[str]) -> None:
    Lane.ensure()
    for n, did in enumerate(dids):
        pending(did=did, suspect=True, event_type="test.record", payload={"n": n})

    async def run() -> None:
        async with joined() as worker:
            worker.schedule.wake()  # once: nothing polls here

    asyncio.run(run())
    assert not Pending.objects.exists()
    assert sorted(Seen.objects.values_list("number", flat=True)) == [0, 1, 2, 3, 4]


@pytest.mark.django_db(transaction=True)
def test_a_suspect_that_waits_for_its_retry_does_not_slow_the_others_down() -> None:
    """As long as there was one, a process ran one step at a time: for hours, where the wait was hours."""
    Lane.ensure()
    pending(suspect=True, available_at=timezone.now() + timedelta(hours=1))

    async def run() -> bool:
        async with joined() as worker:
            return worker.schedule.suspects

    assert not asyncio.run(run())


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_others_are_applied_while_the_retry_of_a_failing_lane_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    began, may_end = threading.Event(), threading.Event()
    ordinary = threading.Event()

    def step(request: BatchRequest) -> Result:
        if request.lanes:
            began.set()
            assert may_end.wait(30)
        else:
            ordinary.set()
        return Result()

    async def run() -> None:
        async with joined(slots=2) as worker:
            steps = worker.schedule.steps
            monkeypatch.setattr(steps, "ordinary", step)
            clock = [time.monotonic()]
            monkeypatch.setattr(steps.failures, "_clock", lambda: clock[0])
            steps.failures.failed((3,), TimeoutError("lock timeout"))
            clock[0] += 1
            worker.schedule.wake()
            assert await asyncio.to_thread(began.wait, 30)
            assert await asyncio.to_thread(ordinary.wait, 30)
            ordinary.clear()
            worker.schedule.wake()
            assert await asyncio.to_thread(ordinary.wait, 30)
            may_end.set()

    asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_the_retry_of_a_failing_lane_uses_up_no_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event of the wake-up was applied at the next poll."""
    ran: list[tuple[int, ...]] = []

    def step(request: BatchRequest) -> Result:
        ran.append(request.lanes)
        return Result()

    async def run() -> None:
        async with joined() as worker:
            monkeypatch.setattr(worker.schedule.steps, "ordinary", step)
            worker.schedule.steps.failures.failed((3,), TimeoutError("lock timeout"))
            monkeypatch.setattr(worker.schedule.steps.failures, "_clock", lambda: time.monotonic() + 1)
            worker.schedule.wake()  # once

    asyncio.run(run())
    assert ran == [(3,), ()]


@pytest.mark.django_db(transaction=True)
def test_a_step_that_is_cancelled_leaves_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[BatchRequest] = []

    def step(request: BatchRequest) -> Result:
        ran.append(request)
        if len(ran) == 1:
            raise asyncio.CancelledError
        return Result()

    async def run() -> None:
        async with joined() as worker:
            monkeypatch.setattr(worker.schedule.steps, "ordinary", step)
            for _ in range(2):
                worker.schedule.wake()
                await worker.schedule.finish(10)

    asyncio.run(run())
    assert len(ran) == 2


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_does_not_shorten_the_time_that_others_have_for_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "FILE_FREE", 0.5)
    ran: list[float] = []

    def step(request: BatchRequest) -> Result:
        ran.append(time.monotonic())
        return Result()

    async def run() -> None:
        async with joined() as worker:
            worker.schedule.one_writer = True
            monkeypatch.setattr(worker.schedule.steps, "ordinary", step)
            worker.schedule.wake()
            while len(ran) < 2:
                await asyncio.sleep(0.001)
                worker.schedule.wake()

    asyncio.run(run())
    assert ran[1] - ran[0] >= 0.5
