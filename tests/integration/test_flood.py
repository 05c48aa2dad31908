"""Ten times what the worker can do, for a minute: bounded, refused in time, and over as soon as it is over."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.db import connection

from events.models import Batch, Event, Pending
from events.stats import FULL_SHARE
from tests.integration.conftest import ROOT, WorkerProcess, database_url, eventually
from tests.integration.flood import BATCH, RATE, WORK
from tests.integration.web import WebProcess

pytestmark = [pytest.mark.proof, pytest.mark.postgresql]

SECONDS = 60.0
CAPACITY = 3_000  # events
FILLED_AFTER = 5.0  # seconds; it takes 1.3 to fill the queue
REFUSED_WITHIN = 0.050  # seconds, of the 99th percentile
ACCEPTED_WITHIN = 1.0
MEMORY = 8_000_000  # bytes that the server may grow by in the time in which it refuses
AT_ONCE = 0.5  # seconds: admission looks at the log every quarter of one


@pytest.fixture
def web(transactional_db: None, tmp_path: Path) -> Iterator[WebProcess]:
    with ExitStack() as stack:
        # With DEBUG Django keeps the last 9,000 statements in memory, which looks like a leak.
        process = WebProcess(database_url(), DEBUG="0", ALLOWED_HOSTS="127.0.0.1", EVENT_QUEUE_CAPACITY=str(CAPACITY))
        server = stack.enter_context(process)
        worker = WorkerProcess("--workers", "1", log=tmp_path / "worker.log")
        stack.callback(worker.kill)
        eventually(server.answers, within=30)
        eventually(lambda: "worker started" in worker.said(), within=30)
        yield server


def test_ten_times_the_drain_rate_for_a_minute(web: WebProcess, capsys: pytest.CaptureFixture[str]) -> None:
    server = psutil.Process(web.process.pid)
    command = [sys.executable, "-m", "tests.integration.flood", web.address, settings.INTERNAL_API_KEY, str(SECONDS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as flood, web.client() as client:
        eventually(lambda: Pending.objects.count() >= FULL_SHARE * CAPACITY, within=30)
        before = server.memory_info().rss
        out, _ = flood.communicate(timeout=SECONDS + 60)
        after = server.memory_info().rss
        answers = [(at, status, enqueued, took) for at, status, enqueued, took in json.loads(out)]
        eventually(lambda: Pending.objects.count() < FULL_SHARE * CAPACITY - BATCH, within=30)
        body = {"event_type": "test.record", "did": "did:plc:after", "payload": {}}
        eventually(lambda: client.post("/internal/events", json=body).status_code == 202, within=AT_ONCE)

    accepted = sorted(took for _, status, enqueued, took in answers if enqueued)
    refused = sorted(took for at, status, _, took in answers if status == 503 and at > FILLED_AFTER)
    done = sum(len(batch.all_ids) for batch in Batch.objects.all())
    with connection.cursor() as cursor:
        cursor.execute(
            "select percentile_cont(0.99) within group (order by extract(epoch from b.finished_at - e.received_at))"
            " from events_batch b join events_event e on e.id = any(coalesce(b.ids, array[b.last_id]))"
        )
        waited = float(cursor.fetchone()[0])
    with capsys.disabled():
        print(
            f"\n  {RATE * BATCH:.0f} events/s came, {done / SECONDS:.0f} were applied; accepted: p99 answered in"
            f" {1000 * _p99(accepted):.0f} ms, applied after {waited:.1f} s; {len(refused)} requests refused: p99"
            f" {1000 * _p99(refused):.0f} ms; memory {before / 1e6:.0f} MB, then {after / 1e6:.0f} MB",
            end="",
        )
    assert {status for _, status, _, _ in answers} <= {202, 207, 503}
    assert done / SECONDS <= RATE * BATCH / 9
    assert after - before < MEMORY
    assert _p99(accepted) < ACCEPTED_WITHIN
    assert waited < 2 * CAPACITY * WORK
    assert _p99(refused) < REFUSED_WITHIN
    assert Event.objects.count() == sum(enqueued for _, _, enqueued, _ in answers) + 1


def _p99(values: list[float]) -> float:
    return values[min(len(values) - 1, int(0.99 * len(values)))]
