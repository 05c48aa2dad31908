"""Ending a process whose batch never ends.

A processor that loops or hangs holds its lanes only until the server ends its transaction, but it holds its thread
for ever. The process logs where it hangs and exits; what it was doing is then found as the work of any process that
died. A thread that waits for the database is left alone: the server's own limits end that wait.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

logger = structlog.stdlib.get_logger(__name__)

EXIT_CODE = 70  # EX_SOFTWARE
TICK = 0.25  # seconds
LAST_RESORT = 10.0  # seconds more, for code that never lets another thread run
DATABASE_MODULES = ("psycopg", "psycopg_pool", "sqlite3", "django.db.backends", "events.log")


class Watchdog:
    """Watches the steps of one process. `seconds` is how long a batch may take."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ages: dict[int, float] = {}  # by thread ident: seconds that its batch has been running
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the calling thread's batch while the block runs."""
        ident = threading.get_ident()
        self._ages[ident] = 0.0
        try:
            yield
        finally:
            self._ages.pop(ident, None)

    def stop(self) -> None:
        self._stopped.set()
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stopped.wait(TICK):
            # faulthandler's timer runs without the GIL: it ends a process in which this thread no longer runs. That
            # may also be one that was stopped for longer than this, and wakes: it could commit nothing anyway.
            faulthandler.dump_traceback_later(self.seconds + LAST_RESORT, exit=True)
            now = time.monotonic()
            # A tick counts for what it should have taken: a process that was stopped did not run meanwhile.
            elapsed, before = min(now - before, 2 * TICK), now
            for ident in list(self._ages):
                age = self._ages.get(ident)
                if age is None:
                    continue
                self._ages[ident] = age + elapsed
                if age + elapsed >= self.seconds:
                    self._judge(ident)

    def _judge(self, ident: int) -> None:
        frame = sys._current_frames().get(ident)
        if frame is None or waits_for_database(frame):
            return
        stack = "".join(traceback.format_stack(frame))
        logger.critical("a batch has not ended; this process exits", seconds=self.seconds, stack=stack)
        logging.shutdown()
        os._exit(EXIT_CODE)


def waits_for_database(frame: FrameType) -> bool:
    """Whether the innermost code of a thread is a database driver's."""
    module = str(frame.f_globals.get("__name__", ""))
    return module.startswith(DATABASE_MODULES)
