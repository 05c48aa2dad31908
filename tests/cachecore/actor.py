"""Processes that do with the cache what they are told, and can be held midway: `python -m tests.cachecore.actor`.

It sets Django up once and forks an actor for each line on its standard input. An actor connects to the Unix socket
that the line names and speaks JSON there, one line each: requests with an `id`, and how far each of them is. They run
in threads of their own, so that some may be held while others go on.

MUTANT in the environment takes a safeguard out of the cache, see `tests.cachecore.mutants`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django

THREADS = 16  # requests that are under way in one actor
TRUTH = "claim_truth"  # the table of what is true: a version by key

Request = dict[str, Any]


class Actor:
    """One forked process: its socket, and the requests that it holds."""

    def __init__(self, role: dict[str, str]) -> None:
        from django.conf import settings

        settings.CACHES["default"]["LOCATION"] = role["redis"]
        os.environ["PGAPPNAME"] = role["name"]
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(role["socket"])
        self._speaking = threading.Lock()
        self._held: dict[int, threading.Event] = {}
        self._say(pid=os.getpid())

    def run(self) -> None:
        """Do what is asked until the other end hangs up."""
        with ThreadPoolExecutor(THREADS) as threads, self._socket.makefile() as requests:
            for line in requests:
                request = json.loads(line)
                if request["do"] == "go on":
                    self._held.pop(request["id"]).set()
                else:
                    threads.submit(self._answer, request)
            os._exit(0)  # whatever is still held

    def _answer(self, request: Request) -> None:
        from django.db import connection

        from cachecore import cache

        location = cache.backend.location
        before = location.mode
        try:
            found = {"read": self._read, "write": self._write, "await trust": self._await_trust}[request["do"]](request)
        except Exception as error:
            self._say(id=request["id"], at="failed", error=repr(error))
            return
        finally:
            connection.close()
        mode = cache.backend.mode
        self._say(id=request["id"], at="done", found=found, mode=mode, steady=location.mode is before)

    def _read(self, request: Request) -> dict[str, int]:
        """The versions that the cache tells, by key; of what it has only, if it is not asked to load."""
        from cachecore import cache

        prefix, keys, hold = request["prefix"], request["keys"], request.get("hold")

        def load() -> dict[str, int]:
            if hold == "before":
                self._hold(request, "loading")
            found = truth(prefix, keys)
            if hold == "after":
                self._hold(request, "loaded")
            return found

        def load_many(names: list[str]) -> dict[str, dict[str, int]]:
            found = load()
            return {name: {key: found[key]} for name in names for key in [name.rpartition(":")[2]]}

        document = f"{prefix}:{'+'.join(keys)}"
        each = {f"{prefix}:{key}": [f"{prefix}:{key}"] for key in keys}
        if request["how"] == "document":
            return cache.get_or_set(document, load, tags=list(each))
        many = cache.get_or_set_many(each, load_many) if request["how"] == "many" else None
        kept = cache.backend.get_many([document, *each]) if many is None else many
        return {key: version for one in kept.values() for key, version in one.items()}

    def _write(self, request: Request) -> dict[str, int] | None:
        """Make a version true, and invalidate what was computed from the one before, in one transaction.

        Answers what it saw of it in the transaction, if it looked.
        """
        from django.db import connection, transaction

        from cachecore import cache

        prefix, key, hold = request["prefix"], request["key"], request.get("hold")

        def committed() -> None:
            self._say(id=request["id"], at="committed")
            if hold == "committed":
                self._hold(request, "held")

        seen = None
        with transaction.atomic():
            transaction.on_commit(committed)  # first of all, so that it runs before the invalidation is performed
            with connection.cursor() as cursor:
                statement = f"UPDATE {TRUTH} SET version = %s WHERE key = %s"
                cursor.execute(statement, [request["version"], f"{prefix}:{key}"])
            cache.invalidate([f"{prefix}:{key}"])
            if request["look"]:
                seen = self._read({"prefix": prefix, "keys": [key], "how": "document"})
            if hold == "open":
                self._hold(request, "held")
            transaction.set_rollback(request["roll_back"])
        return seen

    def _await_trust(self, request: Request) -> bool:
        from cachecore import cache

        end = time.monotonic() + 10
        while cache.backend.mode != "redis" and time.monotonic() < end:
            time.sleep(0.001)
        return bool(cache.backend.mode == "redis")

    def _hold(self, request: Request, at: str) -> None:
        held = self._held[request["id"]] = threading.Event()
        self._say(id=request["id"], at=at)
        held.wait()

    def _say(self, **answer: Any) -> None:
        with self._speaking:
            self._socket.sendall(json.dumps(answer).encode() + b"\n")


def truth(prefix: str, keys: list[str]) -> dict[str, int]:
    """The versions of now, in one statement."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT key, version FROM {TRUTH} WHERE key = ANY(%s)", [[f"{prefix}:{key}" for key in keys]])
        return {str(name).rpartition(":")[2]: int(version) for name, version in cursor.fetchall()}


def main() -> None:
    django.setup()

    from cachecore import backend, breaker, loading, loading_many  # noqa: F401 - imported once, for all that are forked
    from tests.cachecore import mutants

    # Only how long a process stays away from a Redis that is back: the bounds that are claimed stay as they are.
    breaker.FIRST_PAUSE, breaker.LONGEST_PAUSE = 0.05, 0.3
    if mutant := os.environ.get("MUTANT"):
        mutants.MUTANTS[mutant].apply()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            Actor(json.loads(line)).run()


if __name__ == "__main__":
    main()
