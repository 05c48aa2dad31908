"""SIGTERM, as a server's process meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.conftest import ROOT, eventually
from tests.servers import free_port

DELAY = 3.0  # seconds


@pytest.fixture
def web() -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A web server without a database of use, and a client of it."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(port), "--log-level", "warning"]
    environment = {**os.environ, "DATABASE_URL": "sqlite://:memory:", "CACHE_BACKEND": "memory"}
    environment |= {"DJANGO_SETTINGS_MODULE": "rhiz.settings", "DRAIN_DELAY": str(DELAY)}
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        eventually(lambda: _answers(client), what="the web server answers")
        yield server, client
    server.kill()
    server.wait()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def _status(client: httpx.Client) -> str:
    return str(client.get("/health/ready").json()["status"])


def test_after_sigterm_it_serves_on_with_readiness_503_and_then_ends(
    web: tuple[subprocess.Popen[bytes], httpx.Client],
) -> None:
    server, client = web
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)

    eventually(lambda: _status(client) == "draining", within=0.8 * DELAY)
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health").status_code == 200
    assert server.wait(DELAY + 5) in (0, -signal.SIGTERM)
    assert time.monotonic() - began >= DELAY


def test_a_second_sigterm_ends_it_at_once(web: tuple[subprocess.Popen[bytes], httpx.Client]) -> None:
    server, client = web
    server.send_signal(signal.SIGTERM)
    eventually(lambda: _status(client) == "draining", within=0.8 * DELAY)
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    server.wait(5)

    assert time.monotonic() - began < DELAY
