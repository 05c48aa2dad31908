"""A database that is away at the start, or goes away and comes back: a PostgreSQL of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.integration.conftest import ROOT, WorkerProcess, eventually
from tests.servers import PostgreSQL

pytestmark = pytest.mark.postgresql

APPEND = """
with appended as (
    insert into events_event (event_id, event_type, did, key, priority, payload, digest, version, received_at)
    select gen_random_uuid(), 'test.record', 'did:plc:' || n, n, 1, '{}', gen_random_uuid(), n, at
    from generate_series(1, %s) n, clock_timestamp() at
    returning key, id, priority
)
insert into events_pending (key, id, lane, priority) select key, id, mod(key, 64), priority from appended
"""


A_DEATH = """
insert into events_worker (host, pid, process_started, started_at, heartbeat_at, died_at, announced, alone, slots,
    processed, failed, busy_seconds, available_seconds, minute_processed, minute_busy, minute_seconds, minute_available,
    minute_latency, batches, idle_seconds, failing_lanes, low_watermarks)
values ('elsewhere', 1, 0, now(), now(), now(), '[]', false, 1, 0, 0, 0, 0, 0, 0, 0, 0, '[]', '[]', 0, '[]', '[]')
"""


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        manage(running.url, "migrate")
        yield running


def manage(url: str, *arguments: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True, capture_output=True
    )


@contextmanager
def worker(url: str, log: Path) -> Iterator[WorkerProcess]:
    process = WorkerProcess(log=log, url=url)
    try:
        yield process
    finally:
        process.kill()


def append(url: str, count: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(APPEND, (count,))


def pending(url: str) -> Callable[[], bool]:
    def none_pending() -> bool:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("select count(*) from events_state where state <> 1").fetchone()
        return row == (0,)

    return none_pending


def test_a_worker_waits_for_a_database_that_is_away_at_its_start(server: PostgreSQL, tmp_path: Path) -> None:
    append(server.url, 10)
    server.stop()
    with worker(server.url, tmp_path / "log") as process:
        eventually(lambda: "database away" in process.said())
        server.start()
        eventually(pending(server.url))
        assert "database back" in process.said()
        assert "Traceback" not in process.said()


@pytest.mark.parametrize("careful", [False, True])
def test_work_goes_on_when_a_database_that_crashed_is_back(server: PostgreSQL, tmp_path: Path, careful: bool) -> None:
    if careful:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(A_DEATH)
    with worker(server.url, tmp_path / "log") as process:
        eventually(lambda: "worker started" in process.said())
        for _ in range(2):
            append(server.url, 3000)
            server.stop("immediate")
            eventually(lambda: "database away" in process.said())
            server.start()
            eventually(pending(server.url), within=30)
        said = process.said()
        assert not process.ended
        assert "Traceback" not in said
        assert len(said.splitlines()) < 20, "a line or two an outage, not a storm"
        with psycopg.connect(server.url) as connection:
            assert connection.execute("select max(attempts), count(*) from events_state").fetchone() == (1, 6000)
            assert connection.execute("select count(*) from recorder_seen").fetchone() == (6000,)


def test_a_frozen_database_ends_no_worker_and_a_worker_can_still_be_stopped(server: PostgreSQL, tmp_path: Path) -> None:
    with worker(server.url, tmp_path / "log") as process:
        eventually(lambda: "worker started" in process.said())
        server.signal(signal.SIGSTOP)
        process.signal(signal.SIGTERM)
        assert process.wait(6) == 0
        server.signal(signal.SIGCONT)
