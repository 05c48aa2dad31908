"""What a running worker does beside its batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import OperationalError
from structlog.testing import CapturingLogger

from events import bulk
from events.log.verify import Auditor
from events.worker import runner
from events.worker.fleet import Membership
from events.worker.runner import Runner
from events.worker.schedule import Schedule
from events.worker.watermarks import LowWatermarks

BEAT = Runner._beat


@pytest.fixture
def without_database(monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A worker that has nothing to do with a database."""

    async def nothing(self: Runner) -> None: ...

    for name in ("_join", "_beat", "_poll"):
        monkeypatch.setattr(Runner, name, nothing)
    monkeypatch.setattr(bulk, "run_batch", lambda: False)
    monkeypatch.setattr(runner, "Ear", lambda heard: SimpleNamespace(stop=lambda: None))
    monkeypatch.setattr(Schedule, "wake", lambda self: None)
    monkeypatch.setattr(Membership, "leave", lambda self: None)
    return Runner(1)


def test_a_running_worker_audits_its_watermarks_and_the_log(
    without_database: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited: set[str] = set()

    def audits(name: str) -> Callable[[Any], None]:
        return lambda self: audited.add(name)

    monkeypatch.setattr(runner, "AUDIT_EVERY", 0.001)
    monkeypatch.setattr(LowWatermarks, "audit", audits("watermarks"))
    monkeypatch.setattr(Auditor, "seconds_until_next", lambda self: 0.001)
    monkeypatch.setattr(Auditor, "advance", audits("log"))

    async def run() -> None:
        running = asyncio.create_task(without_database.run())
        for _ in range(200):
            if audited == {"watermarks", "log"}:
                break
            await asyncio.sleep(0.01)
        without_database.stop()
        await running

    asyncio.run(run())
    assert audited == {"watermarks", "log"}


def test_a_suspect_that_another_process_applied_is_no_longer_reported_as_failing(
    without_database: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = without_database.membership.failures
    for _ in range(5):
        failures.failed((3,), TimeoutError("lock timeout"), suspect=7)
    monkeypatch.setattr(runner, "HEARTBEAT", 0.001)
    monkeypatch.setattr(runner, "suspects", list)
    monkeypatch.setattr(Membership, "beat", lambda self: False)
    monkeypatch.setattr(LowWatermarks, "look", lambda self: None)
    assert failures.report()

    async def run() -> None:
        beating = asyncio.create_task(BEAT(without_database))
        while failures.report():
            await asyncio.sleep(0.001)
        beating.cancel()

    asyncio.run(run())


def test_a_bulk_action_that_keeps_failing_by_a_transient_error_is_logged(
    without_database: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was repeated each second for as long as it failed, without a line."""
    calls = 0

    def fail() -> bool:
        nonlocal calls
        calls += 1
        if calls == 2 * runner.BULK_REMINDER + 1:
            without_database.loop.call_soon_threadsafe(without_database.stop)
        raise OperationalError from psycopg.errors.LockNotAvailable("canceled due to lock timeout")

    monkeypatch.setattr(runner, "BULK_POLL", 0.001)
    monkeypatch.setattr(bulk, "run_batch", fail)
    lines = CapturingLogger()
    monkeypatch.setattr(runner, "logger", lines)
    asyncio.run(without_database.run())
    assert [call.kwargs["times"] for call in lines.calls if call.method_name == "warning"] == [10, 20]
