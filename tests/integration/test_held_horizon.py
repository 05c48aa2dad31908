"""A transaction that holds back the vacuum horizon (a report, a dump, an idle session) must not slow the workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import psycopg
import pytest

import events
from events.models import Event
from tests.integration.conftest import WorkerProcess, all_done, database_url, event, eventually

RATE = 1000  # events a second
SECONDS = 45


@pytest.mark.proof
@pytest.mark.postgresql
def test_latency_stays_flat_while_the_horizon_is_held(start: Callable[..., WorkerProcess]) -> None:
    """Without floors the median went from 3 to 53 ms in these 45 s."""
    worker = start()
    eventually(lambda: "worker started" in worker.said())
    with psycopg.connect(database_url()) as report:
        report.execute("set transaction isolation level repeatable read")
        report.execute("select count(*) from events_event")
        begun, sent = time.monotonic(), 0
        while (now := time.monotonic() - begun) < SECONDS:
            due = int(now * RATE) - sent
            if due:
                events.append([event(n, f"did:plc:{n % 3000}", priority=n % 4) for n in range(sent, sent + due)])
                sent += due
            time.sleep(0.004)
        eventually(all_done, within=10)
    rows = Event.objects.order_by("id").values_list("received_at", "finished_at")
    times = [(finished - received).total_seconds() * 1000 for received, finished in rows if finished]
    ninth = len(times) // 9
    early, late = times[ninth : 2 * ninth], times[-ninth:]
    print(f"p50 {median(early):.1f} -> {median(late):.1f} ms, p99 {percentile(early):.1f} -> {percentile(late):.1f} ms")
    assert median(late) <= 2 * median(early) + 1
    assert percentile(late) <= 2 * percentile(early) + 10


def percentile(times: list[float]) -> float:
    """The 99th."""
    return sorted(times)[int(len(times) * 0.99)]
