"""Wake workers after each commit that appended events.

On PostgreSQL by a NOTIFY, sent by a thread of its own on a connection of its own, so that an append waits for none.
Calls within an interval are one NOTIFY. A NOTIFY that fails loses nothing: workers also poll. On SQLite there is
nothing to send: workers see the file's version change.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import psycopg
import structlog
from django.db import connection

from events.conf import conf

logger = structlog.stdlib.get_logger(__name__)

CHANNEL = "rhiz_events"
INTERVAL = 0.003  # seconds between two NOTIFYs of one process: each takes a lock that all commits with one share
RETRY_AFTER = 5.0  # seconds without a try after one that failed


def bare_parameters() -> dict[str, Any]:
    """What psycopg is given to connect to Django's database, beside Django and outside its pool, in autocommit."""
    parameters = connection.get_connection_params()
    for key in ("pool", "cursor_factory", "server_side_binding"):
        parameters.pop(key, None)
    return {**parameters, "autocommit": True}


def bare_connection(**overrides: Any) -> psycopg.Connection[Any]:
    """A psycopg connection of one's own to Django's database."""
    return psycopg.connect(**{**bare_parameters(), **overrides})


class Notifier:
    """One process's thread that sends NOTIFY."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.wanted = threading.Event()
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="notifier", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        self.wanted.set()

    def close(self) -> None:
        """Close the connection."""
        self.closed.set()
        self.wanted.set()
        self._thread.join(RETRY_AFTER)

    def _serve(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while True:
            self.wanted.wait()
            self.wanted.clear()
            if self.closed.is_set():
                break
            try:
                if connection is None:
                    connection = bare_connection()
                    # What wakes workers needs no place on the disk: one flush a NOTIFY less.
                    connection.execute("set synchronous_commit = off")
                connection.execute(f"notify {CHANNEL}")
                self.closed.wait(INTERVAL)
            except Exception as error:  # whatever it is, the poll serves
                logger.debug("notify failed", error=str(error))
                connection = None
                self.closed.wait(RETRY_AFTER)
        if connection is not None:
            connection.close()


_notifier: Notifier | None = None
_making = threading.Lock()


def notify() -> None:
    """Wake the workers."""
    global _notifier
    if connection.vendor != "postgresql" or not conf.listen:
        return
    if _notifier is None or _notifier.pid != os.getpid():
        with _making:
            if _notifier is None or _notifier.pid != os.getpid():
                _notifier = Notifier()
    _notifier.notify()


def close() -> None:
    """Close this process's connection; a later `notify` opens it again."""
    global _notifier
    notifier, _notifier = _notifier, None
    if notifier is not None:
        notifier.close()
