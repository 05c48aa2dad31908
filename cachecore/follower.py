"""How a process that can't rely on Redis learns what others invalidated: it reads the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from threading import Lock
from time import monotonic

from django.db.backends.base.base import BaseDatabaseWrapper

from cachecore import journal
from cachecore.conf import conf
from cachecore.journal.row import Since
from cachecore.memory import Memory
from cachecore.own_connection import own_connection

logger = logging.getLogger(__name__)

LONGEST_GAP = 240.0  # seconds between two readings after which rows may have been pruned unread
PAUSE = 1.0  # seconds without another try after the journal could not be read


class Follower:
    """Keeps one Memory at most `CACHE_FALLBACK_STALENESS` seconds behind the journal."""

    def __init__(self, memory: Memory, spaces: Callable[[], Collection[str]]) -> None:
        self._memory = memory
        self._spaces = spaces
        self._lock = Lock()
        self._since: Since | None = None
        self._read_at = float("-inf")  # when the last successful reading began
        self._failed_at = float("-inf")
        self._connection: BaseDatabaseWrapper | None = None

    def catch_up(self) -> bool:
        """Have what was committed by now, less the staleness allowed. False if that can't be known: nothing of
        what memory holds under a tag may be told then."""
        asked = monotonic()
        if self._read_at + conf.fallback_staleness >= asked or not journal.installed():
            return True
        with self._lock:
            # Whoever held the lock may have begun to read after we asked: that is as good as reading ourselves.
            if self._read_at + conf.fallback_staleness >= asked:
                return True
            if monotonic() - self._failed_at < PAUSE:
                return False
            began = monotonic()
            try:
                self._read()
            except Exception as error:
                self._give_up(error)
                return False
            self._read_at = began
            return True

    def close(self) -> None:
        """End the connection. A later reading would open it again."""
        with self._lock:
            self._close()

    def _read(self) -> None:
        if self._connection is None:
            self._connection = own_connection(journal.database())
        since, rows = journal.follow(self._connection, self._spaces(), self._since)
        if since is None or (self._since is not None and monotonic() - self._read_at > LONGEST_GAP):
            self._memory.drop(None)
        for row in rows:
            self._memory.drop(row.digests)
        self._since = since

    def _give_up(self, error: Exception) -> None:
        logger.warning("the journal of invalidations can't be read", extra={"error": repr(error)})
        self._failed_at = monotonic()
        self._read_at = float("-inf")
        self._since = None
        self._memory.drop(None)
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(Exception):  # it may be broken already
                self._connection.close()
            self._connection = None
