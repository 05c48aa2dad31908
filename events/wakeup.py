"""Waking whoever waits for events: rung after each commit that appended some.

On PostgreSQL a bell is a NOTIFY, sent by a thread of its own on a connection of its own, so that an append waits
for none. Rings within an interval are one NOTIFY. A bell that can't be rung is no loss: workers also look by
themselves. On SQLite there is nothing to ring: workers see the file's version change.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import psycopg
import structlog
from django.db import connections

from events.conf import conf

logger = structlog.stdlib.get_logger(__name__)

CHANNEL = "rhiz_events"
INTERVAL = 0.003  # seconds between two NOTIFYs of one process: each takes a lock that all commits with one share
PATIENCE = 5.0  # seconds without a try after one that failed


def bare_parameters(using: str = "default") -> dict[str, Any]:
    """What psycopg is given to connect to Django's database, beside Django and outside its pool, in autocommit."""
    parameters = connections[using].get_connection_params()
    for key in ("pool", "cursor_factory", "server_side_binding"):
        parameters.pop(key, None)
    return {**parameters, "autocommit": True}


def bare_connection(using: str = "default", **overrides: Any) -> psycopg.Connection[Any]:
    """A psycopg connection of one's own to Django's database."""
    return psycopg.connect(**{**bare_parameters(using), **overrides})


class Bell:
    """One process's way to ring for one database."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.pid = os.getpid()
        self.rung = threading.Event()
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"bell-{using}", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        self.rung.set()

    def close(self) -> None:
        """Let go of the connection."""
        self.closed.set()
        self.rung.set()
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while True:
            self.rung.wait()
            self.rung.clear()
            if self.closed.is_set():
                break
            try:
                connection = connection or bare_connection(self.using)
                connection.execute(f"notify {CHANNEL}")
                self.closed.wait(INTERVAL)
            except Exception as error:  # whatever it is, the poll serves
                logger.debug("bell not rung", error=str(error))
                connection = None
                self.closed.wait(PATIENCE)
        if connection is not None:
            connection.close()


_bells: dict[str, Bell] = {}
_making = threading.Lock()


def ring(using: str = "default") -> None:
    """Wake the workers of the log in `using`."""
    if connections[using].vendor != "postgresql" or not conf.listen:
        return
    bell = _bells.get(using)
    if bell is None or bell.pid != os.getpid():
        with _making:
            bell = _bells.get(using)
            if bell is None or bell.pid != os.getpid():
                bell = _bells[using] = Bell(using)
    bell.ring()


def close() -> None:
    """Let go of this process's connections; a later ring opens them again."""
    while _bells:
        _bells.popitem()[1].close()
