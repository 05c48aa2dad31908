"""Waking whoever waits for events: rung after each commit that appended some.

On PostgreSQL a bell is a NOTIFY, sent by a thread of its own on a connection of its own, so that an append waits
for none. Rings within an interval are one NOTIFY. A bell that can't be rung is no loss: workers also look by
themselves. On SQLite there is nothing to ring: workers see the file's version change.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

import psycopg
from django.db import connections

from events.conf import conf

logger = logging.getLogger(__name__)

CHANNEL = "rhiz_events"
INTERVAL = 0.005  # seconds between two NOTIFYs of one process: each takes a lock that all commits with one share
PATIENCE = 5.0  # seconds without a try after one that failed


def bare_connection(using: str = "default", **overrides: Any) -> psycopg.Connection[Any]:
    """A psycopg connection beside Django's and outside its pool, in autocommit, to the same database."""
    parameters = connections[using].get_connection_params()
    for key in ("pool", "cursor_factory", "server_side_binding"):
        parameters.pop(key, None)
    return psycopg.connect(**{**parameters, "autocommit": True, **overrides})


class Bell:
    """One process's way to ring for one database."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.pid = os.getpid()
        self.rung = threading.Event()
        threading.Thread(target=self._serve, name=f"bell-{using}", daemon=True).start()

    def ring(self) -> None:
        self.rung.set()

    def _serve(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        pause = threading.Event()  # never set: waiting on it is a sleep
        while True:
            self.rung.wait()
            self.rung.clear()
            try:
                connection = connection or bare_connection(self.using)
                connection.execute(f"notify {CHANNEL}")
                pause.wait(INTERVAL)
            except Exception as error:  # whatever it is, the poll serves
                logger.debug("bell not rung: %s", error)
                connection = None
                pause.wait(PATIENCE)


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
