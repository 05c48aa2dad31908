"""Notifications of appends: LISTEN on PostgreSQL, the file's version on SQLite. Polling goes on beside them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

import structlog
from django.db import connection

from events.conf import conf
from events.wakeup import CHANNEL, bare_connection

logger = structlog.stdlib.get_logger(__name__)

LOOK = 0.01  # seconds between two looks at the SQLite file's version
PATIENCE = 2.0  # seconds until the next try to listen


class Ear:
    """A thread that calls `on_append` after each append. `on_append` must be safe to call from it."""

    def __init__(self, on_append: Callable[[], None]) -> None:
        self.on_append = on_append
        self._stopped = threading.Event()
        vendor = connection.vendor
        if vendor == "sqlite":
            self._start(self._watch_file)
        elif conf.listen:
            self._start(self._listen)

    def stop(self) -> None:
        self._stopped.set()

    def _start(self, target: Callable[[], None]) -> None:
        threading.Thread(target=target, name="ear", daemon=True).start()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                with bare_connection() as listening:
                    listening.execute(f"listen {CHANNEL}")
                    self.on_append()  # what was appended before LISTEN
                    while not self._stopped.is_set():
                        for _ in listening.notifies(timeout=1.0, stop_after=1):
                            self.on_append()
            except Exception as error:  # polling goes on; the runner logs an outage
                logger.debug("not listening", error=str(error))
                self._stopped.wait(PATIENCE)

    def _watch_file(self) -> None:
        name = connection.get_connection_params()["database"]
        uri = str(name).startswith("file:")
        seen = None
        try:
            file = sqlite3.connect(name, uri=uri, isolation_level=None)
            while not self._stopped.wait(LOOK):
                version = file.execute("pragma data_version").fetchone()[0]
                if version != seen:
                    seen = version
                    self.on_append()
        except sqlite3.Error as error:
            logger.warning("the database file can't be watched, polling instead", error=str(error))
