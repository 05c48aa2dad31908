"""The limits in time hold while PostgreSQL is frozen and Redis swallows what it is sent."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.servers import PostgreSQL, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
LIMITS = {"/health": 0.010, "/health/ready": 0.100, "/health/detailed": 0.500}  # seconds
STARTUP = 30.0  # seconds
TURNS = 8.0  # seconds within which a frozen dependency must be noticed

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def web() -> Iterator[tuple[str, PostgreSQL]]:
    """A web server on a PostgreSQL of its own and a Redis that never answers; its URL and the database."""
    with ExitStack() as stack:
        database = stack.enter_context(PostgreSQL())
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{(port := free_port())}"
        redis = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        environment = {**os.environ, "DATABASE_URL": database.url, "REDIS_URL": redis, "CACHE_BACKEND": "redis"}
        environment["DJANGO_SETTINGS_MODULE"] = "rhiz.settings"
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True, timeout=60
        )
        command = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(port)]
        server = subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, env=environment)
        try:
            _until(f"{url}/health/ready", 200, STARTUP)
            yield url, database
        finally:
            server.terminate()
            server.wait(STARTUP)


def _until(url: str, status: int, limit: float) -> None:
    end = time.monotonic() + limit
    while True:
        try:
            if httpx.get(url, timeout=1).status_code == status:
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < end, f"{url} is not {status}"
        time.sleep(0.05)


def _p99(client: httpx.Client, path: str) -> float:
    spent = []
    for _ in range(300):
        began = time.monotonic()
        client.get(path)
        spent.append(time.monotonic() - began)
    return statistics.quantiles(spent, n=100)[98]


@pytest.mark.parametrize("path", LIMITS)
def test_a_silent_redis_costs_no_tier_its_limit(web: tuple[str, PostgreSQL], path: str) -> None:
    with httpx.Client(base_url=web[0]) as client:
        assert _p99(client, path) < LIMITS[path]


def test_a_frozen_database_is_503_in_time_and_every_tier_keeps_its_limit(web: tuple[str, PostgreSQL]) -> None:
    url, database = web
    database.signal(signal.SIGSTOP)
    try:
        _until(f"{url}/health/ready", 503, TURNS)
        with httpx.Client(base_url=url) as client:
            for path, limit in LIMITS.items():
                assert _p99(client, path) < limit, path
            assert client.get("/health/detailed").json()["dependencies"]["database"]["status"] == "fail"
            assert client.get("/health").status_code == 200
    finally:
        database.signal(signal.SIGCONT)

    _until(f"{url}/health/ready", 200, TURNS)
