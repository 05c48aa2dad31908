"""What a worker process answers to probes from its start to its end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from django.db import connection, transaction

from tests.integration.conftest import WorkerProcess, append, database_url, event, eventually
from tests.integration.test_outage import APPEND, manage
from tests.recorder.models import Seen
from tests.servers import PostgreSQL, free_port

Start = Callable[..., WorkerProcess]


class Probed:
    """The probe of one worker process."""

    def __init__(self) -> None:
        self.port = free_port()
        self.arguments = ("--health-port", str(self.port))

    def ready(self) -> tuple[int, str]:
        """The status code and the word of readiness; 0 while nobody answers."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=2)
        except httpx.TransportError:
            return 0, ""
        return answer.status_code, answer.json()["status"]


def test_a_worker_is_ready_and_while_it_finishes_draining(start: Start) -> None:
    probed = Probed()
    worker = start(*probed.arguments)
    eventually(lambda: probed.ready() == (200, "ok"))
    append([event(1, do="sleep", seconds=2)])
    eventually(lambda: '"steps_running": 1' in httpx.get(f"http://127.0.0.1:{probed.port}/health").text)
    worker.signal(signal.SIGTERM)

    eventually(lambda: probed.ready() == (503, "draining"))
    assert worker.wait(6) == 0


@pytest.mark.postgresql
def test_a_worker_that_waits_in_vain_is_stalled_until_it_gets_on(start: Start) -> None:
    probed = Probed()
    start(*probed.arguments, EVENT_BATCH_TIMEOUT="1")
    eventually(lambda: probed.ready() == (200, "ok"))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"lock table {Seen._meta.db_table} in access exclusive mode")
        with psycopg.connect(database_url(), autocommit=True) as elsewhere:
            elsewhere.execute(APPEND, (1,))
        eventually(lambda: probed.ready() == (503, "stalled"))

    eventually(lambda: probed.ready() == (200, "ok"))


@pytest.mark.postgresql
def test_a_worker_without_its_database_says_so_from_the_start(tmp_path: Path) -> None:
    probed = Probed()
    with PostgreSQL() as server:
        manage(server.url, "migrate")
        server.stop()
        worker = WorkerProcess(*probed.arguments, log=tmp_path / "log", url=server.url)
        try:
            eventually(lambda: probed.ready() == (503, "starting"))
            server.start()
            eventually(lambda: probed.ready() == (200, "ok"))
            server.signal(signal.SIGSTOP)
            eventually(lambda: probed.ready() == (503, "database away"))
            server.signal(signal.SIGCONT)
            eventually(lambda: probed.ready() == (200, "ok"))
        finally:
            worker.kill()
