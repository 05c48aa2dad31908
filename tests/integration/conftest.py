"""Real worker processes against the test database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

import events
from events.models import Event, Pending

ROOT = Path(__file__).resolve().parent.parent.parent
LOOK = 0.02  # seconds between two looks at a condition


def eventually(condition: Callable[[], Any], *, within: float = 20.0, what: str = "") -> Any:
    """Wait until `condition` gives something true, and give that; fail after `within` seconds."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what or condition}")
        time.sleep(LOOK)


def database_url() -> str:
    """The test database, as another process's DATABASE_URL."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


class WorkerProcess:
    """One `manage.py runworker`."""

    def __init__(self, *arguments: str, log: Path, url: str | None = None, **environment: str) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "runworker", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "DATABASE_URL": url or database_url(),
                "LOG_LEVEL": "INFO",
                **environment,
            },
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
        )
        self.pid = self.process.pid

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self, timeout: float = 30.0) -> int:
        return self.process.wait(timeout)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text()


@pytest.fixture
def start(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Start worker processes; those still running at the end are killed."""
    started: list[WorkerProcess] = []

    def run(*arguments: str, **environment: str) -> WorkerProcess:
        started.append(WorkerProcess(*arguments, log=tmp_path / f"worker{len(started)}.log", **environment))
        return started[-1]

    yield run
    for worker in started:
        if not worker.ended:
            worker.signal(signal.SIGCONT)
            worker.kill()


def event(n: int, did: str = "did:plc:alice", **fields: Any) -> dict[str, Any]:
    """One event for the recorder; what is no field of the envelope goes in its payload."""
    envelope: dict[str, Any] = {k: fields.pop(k) for k in ("priority", "event_type") if k in fields}
    return {"event_type": "test.record", "did": did, "payload": {"n": n, **fields}, **envelope}


def append(several: list[dict[str, Any]]) -> list[int]:
    """Append events; their ids in the log."""
    ids = [verdict.event_id for verdict in events.append(several)]
    known = dict(Event.objects.filter(event_id__in=ids).values_list("event_id", "id"))
    return [known[event_id] for event_id in ids]


def states(ids: list[int]) -> set[str]:
    rows = Event.objects.with_state().filter(pk__in=ids)
    return {Event.State(state).label for state in rows.values_list("state", flat=True)}


def none_pending() -> bool:
    return not Pending.objects.exists()


def all_done() -> bool:
    return none_pending() and not Event.objects.with_state().exclude(state=Event.State.DONE).exists()
