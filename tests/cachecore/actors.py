"""The other end of `tests.cachecore.actor`: starts actors, asks them, and knows how far each request is."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


class Request:
    """One request to an actor. `answers` are by how far it is: `loading`, `loaded`, `held`, `committed`, `done`."""

    def __init__(self, id: int) -> None:
        self.id = id
        self.answers: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()

    def note(self, answer: dict[str, Any]) -> None:
        with self._changed:
            self.answers[answer["at"]] = answer
            self._changed.notify_all()

    def wait(self, *steps: str, timeout: float) -> bool:
        """Wait for one of `steps`; whether it came within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.answers.keys().isdisjoint(steps), timeout)


class Process:
    """An actor that runs."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self.name = name
        self._connection = connection
        self._lines = connection.makefile()
        self.pid = int(json.loads(self._lines.readline())["pid"])
        self._requests: dict[int, Request] = {}
        self._ids = itertools.count(1)
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, do: str, **what: Any) -> Request:
        """Send a request; it begins now, or when a stopped process goes on."""
        request = Request(next(self._ids))
        self._requests[request.id] = request
        self._send(id=request.id, do=do, **what)
        return request

    def go_on(self, request: Request) -> None:
        """Let a held request go on."""
        self._send(id=request.id, do="go on")

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, stopped or not."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self._connection.close()

    def _send(self, **what: Any) -> None:
        self._connection.sendall(json.dumps(what).encode() + b"\n")

    def _listen(self) -> None:
        with suppress(OSError, ValueError):  # it was killed
            for line in self._lines:
                answer = json.loads(line)
                self._requests[answer["id"]].note(answer)


class Actors:
    """Forks actors on one test database, with one mutant or none."""

    def __init__(self, database_url: str, mutant: str, directory: str) -> None:
        self._path = str(Path(directory) / "actors")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen()
        self._names = itertools.count(1)
        self._started: list[Process] = []
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url,
            "CACHE_BACKEND": "redis",
            "REDIS_URL": "redis://127.0.0.1:1/0",  # each actor is given its own
            "CACHE_FALLBACK_STALENESS": "0",
            "LOG_LEVEL": "ERROR",
            "MUTANT": mutant,
        }
        command = [sys.executable, "-m", "tests.cachecore.actor"]
        self._parent = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, text=True)

    def start(self, redis: str) -> Process:
        """A new actor, which has not used the cache yet."""
        name = f"actor-{os.getpid()}-{next(self._names)}"
        assert self._parent.stdin
        print(json.dumps({"name": name, "redis": redis, "socket": self._path}), file=self._parent.stdin, flush=True)
        self._listener.settimeout(30)
        self._started.append(Process(name, self._listener.accept()[0]))
        return self._started[-1]

    def close(self) -> None:
        """End all that were started."""
        for process in self._started:
            process.kill()
        assert self._parent.stdin
        self._parent.stdin.close()
        self._parent.wait(10)
        self._listener.close()


@contextmanager
def actors(database_url: str, mutant: str = "") -> Iterator[Actors]:
    """What starts actors, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="rhiz-") as directory:
        made = Actors(database_url, mutant, directory)
        try:
            yield made
        finally:
            made.close()
