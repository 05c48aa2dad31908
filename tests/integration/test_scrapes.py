"""A real web server and a real worker: one scraped, the other read, the database frozen between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest
from django.conf import settings

from events.recent import OLD, PATIENCE
from tests.integration.conftest import ROOT, WorkerProcess, eventually
from tests.servers import PostgreSQL, free_port

pytestmark = pytest.mark.postgresql

SLACK = 1.0  # seconds that a scrape may take besides its wait for the database, on a machine that others use too


class Stage(NamedTuple):
    """Processes on a PostgreSQL of their own."""

    database: PostgreSQL
    web: psutil.Process
    client: httpx.Client
    worker: WorkerProcess


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with PostgreSQL() as database:
        port = free_port()
        environment = {**os.environ, "DATABASE_URL": database.url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        migrate = [sys.executable, "manage.py", "migrate", "-v", "0"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
        command = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(port)]
        web = subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, env=environment)
        worker = WorkerProcess(log=tmp_path / "worker.log", url=database.url)
        base, key = f"http://localhost:{port}", {"X-Internal-Key": settings.INTERNAL_API_KEY}
        with httpx.Client(base_url=base, headers=key, timeout=30) as client:
            try:
                eventually(lambda: answers(client), within=30)
                eventually(lambda: "worker started" in worker.said())
                yield Stage(database, psutil.Process(web.pid), client, worker)
            finally:
                database.signal(signal.SIGCONT)
                worker.kill()
                web.kill()
                web.wait()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.HTTPError:
        return False


def scraped(client: httpx.Client) -> dict[str, float]:
    """The samples of a scrape, by name with labels."""
    lines = client.get("/metrics").raise_for_status().text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_a_request_is_found_again_in_the_workers_lines_and_its_events_in_the_metrics(stage: Stage) -> None:
    events = [{"event_type": "test.record", "did": f"did:plc:{n}", "payload": {"n": n}} for n in range(50)]
    events.append({"event_type": "test.record", "did": "did:plc:x", "payload": {"do": "refuse"}})
    answer = stage.client.post("/internal/events", json=events, headers={"X-Request-ID": "indexer-7"})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (202, "indexer-7")
    ended = {"rhiz_events_processed_total": 50, "rhiz_events_failed_total": 1, "rhiz_dead_letters": 1}
    told = eventually(lambda: (now := scraped(stage.client)).items() >= ended.items() and now)
    assert told['rhiz_workers{state="alive"}'] == 1
    [line] = eventually(lambda: [line for line in stage.worker.said().splitlines() if "event dead" in line])
    assert "request_id=indexer-7" in line and 'error="told to refuse"' in line
    count = 'rhiz_event_latency_seconds_count{event_type="test.record",priority="normal"}'
    eventually(lambda: scraped(stage.client).get(count) == 50)


@pytest.mark.proof
def test_scrapes_of_a_frozen_database_are_answered_and_do_not_pile_up(stage: Stage) -> None:
    def scrape_quickly() -> dict[str, float]:
        began = time.monotonic()
        told = scraped(stage.client)
        assert time.monotonic() - began < PATIENCE + SLACK
        return told

    assert scrape_quickly()["rhiz_figures_available"] == 1
    threads = stage.web.num_threads()
    stage.database.signal(signal.SIGSTOP)
    eventually(lambda: scrape_quickly()["rhiz_figures_available"] == 0, within=OLD + 5)
    for _ in range(20):
        assert scrape_quickly()["rhiz_figures_available"] == 0
    assert stage.client.get("/internal/events/metrics").status_code == 503
    assert stage.web.num_threads() < threads + 10
    stage.database.signal(signal.SIGCONT)
    eventually(lambda: scrape_quickly()["rhiz_figures_available"] == 1, within=5)
