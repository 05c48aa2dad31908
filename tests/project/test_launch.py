"""`make run`, without make: from nothing to an applied event, and a clean end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.project.settings_process import ROOT
from tests.servers import free_port

LIMIT = 30.0  # seconds


class Launched:
    """A running launcher: what it printed, and where it serves."""

    def __init__(self, directory: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.env_file = directory / "env"
        self._output = directory / "output"
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        database = {"DATABASE_URL": f"sqlite:///{directory / 'db.sqlite3'}"}
        environment = {**kept, **database, "ENV_FILE": str(self.env_file), "PORT": str(port)}
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rhiz.launch"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def key(self) -> str:
        found = re.search(r"X-Internal-Key: ([^']+)'", self.output)
        assert found is not None, self.output
        return found[1]

    def event(self) -> dict[str, object]:
        """The event that it proposes to paste."""
        found = re.search(r"-d '(.+)'$", self.output, re.M)
        assert found is not None, self.output
        return dict(json.loads(found[1]))

    def children(self) -> dict[str, psutil.Process]:
        found = {}
        for child in psutil.Process(self.process.pid).children():
            # One that has just died has no command line any more.
            with contextlib.suppress(psutil.Error):
                found["worker" if "runworker" in child.cmdline() else "web"] = child
        return found


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Launched]:
    made = Launched(tmp_path)
    try:
        _until(lambda: "Ask how it is" in made.output, made)
        yield made
    finally:
        made.process.terminate()
        made.process.wait(LIMIT)


def _until(true: Callable[[], bool], launched: Launched) -> None:
    limit = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < limit, launched.output
        time.sleep(0.05)


def test_from_nothing_to_an_applied_event_and_a_clean_end(launched: Launched) -> None:
    headers = {"X-Internal-Key": launched.key()}
    sent = httpx.post(f"{launched.url}/internal/events", json=launched.event(), headers=headers)
    assert (sent.status_code, sent.json()["status"]) == (202, "enqueued"), sent.text

    address = f"{launched.url}/internal/events/{sent.json()['event_id']}"
    _until(lambda: httpx.get(address, headers=headers).json()["state"] == "done", launched)
    _until(lambda: httpx.get(f"{launched.url}/health/ready").json()["status"] == "ready", launched)

    # A worker that dies is replaced.
    first = launched.children()["worker"]
    first.kill()
    _until(lambda: launched.children().get("worker", first).pid != first.pid, launched)

    children = launched.children()
    launched.process.send_signal(signal.SIGINT)
    assert launched.process.wait(LIMIT) == 0
    assert not any(child.is_running() for child in children.values())
    assert "Traceback" not in launched.output


def test_the_keys_are_made_once_and_shown_to_nobody_else(launched: Launched) -> None:
    assert launched.env_file.stat().st_mode & 0o077 == 0

    before = launched.env_file.read_text()
    assert re.search(r"^DJANGO_SUPERUSER_PASSWORD=\S+$", before, re.M)
    assert f"INTERNAL_API_KEY={launched.key()}" in before
