"""Low watermarks: ids below which nothing is ready or can become ready, so that fetches need not walk what is gone.

An index keeps an entry of a deleted row until vacuum removes it, and vacuum removes none that an open transaction (a
report, a dump, an idle session) may still see. Entries of applied events then pile up at the head of the ready index,
and a fetch that starts there walks over all of them: 2.0 -> 7.5 ms in 40 s at 1,000 events/s.

An id is given out before its transaction commits, however late that is. So an id is safe once every transaction that
may have drawn it, or a smaller one, has ended:

1. A transaction has its xid before it draws an id (the default of `id` and `append` see to it). A row whose id
   was given is not ready but due, and needs no watermark.
2. v, the sequence's last value, is read first; then X, the xid of a transaction of its own. v is safe once a later
   snapshot's xmin is at least X: whoever drew an id up to v had an xid below X, and has ended.
3. The smallest ready ids are read after that. A priority's watermark is the smaller of its smallest ready id - 1 and
   the newest safe v. Rows that are not ready lie anywhere and are found by their time.
4. Everything is reset when a connection is opened, when v or X is smaller than before, and when the server was started
   anew: after a failover or a restore the ids may begin again below.
5. `audit` looks, away from the batches, for a ready row at or below its watermark.

An open writer holds the watermarks back; fetches stay correct and are merely slower. A reader has no xid and holds
nothing back.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import structlog
from django.db import connection, transaction
from django.db.backends.signals import connection_created

from events.log import watermark
from events.log.fetch import set_transaction_limits
from events.worker.batch import NO_WATERMARKS

logger = structlog.stdlib.get_logger(__name__)

AUDIT_TIMEOUT = 5.0  # seconds: under a held horizon the audit walks what the watermarks spare


class Sample(NamedTuple):
    """An id that is safe once all transactions before `xid` have ended."""

    last_id: int
    xid: int


class LowWatermarks:
    """The watermarks of one process, an id for each priority. Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server_started = 0
        self._generation = 0  # how often it began anew: what was learned before is not used
        self._at: tuple[int, ...] = NO_WATERMARKS
        self._safe = 0  # the newest safe id
        self._waiting: Sample | None = None
        self._last = Sample(0, 0)
        connection_created.connect(self._connected, weak=True)

    def current(self) -> tuple[int, ...]:
        """The watermarks for the next batch; read them on the connection that the batch runs on."""
        return self._at

    def reset(self) -> None:
        """Begin anew."""
        with self._lock:
            self._reset()

    def look(self) -> None:
        """Raise the watermarks as far as is safe now. Called about once a second, on PostgreSQL."""
        if connection.vendor != "postgresql":
            return
        connection.ensure_connection()
        with self._lock:
            generation = self._generation
        horizon, server_started = watermark.horizon()
        sample, last_id, safe = self._waiting, self._last.last_id, self._safe
        if server_started != self._server_started:
            self._server_started = server_started
            self.reset()
            return
        if sample is not None and horizon >= sample.xid:
            safe, sample = max(safe, sample.last_id), None
        last = self._last
        if sample is None:
            last_id = watermark.last_id()
            if last_id != safe or last_id < last.last_id:
                last = sample = Sample(last_id, watermark.xid())
        if last.last_id < self._last.last_id or last.xid < self._last.xid:
            self.reset()
            return
        lowest = watermark.lowest_ready(self._at)
        at = tuple(safe if ready is None else min(ready - 1, safe) for ready in lowest)
        with self._lock:
            if generation == self._generation:
                self._at, self._safe, self._waiting, self._last = at, safe, sample, last

    def audit(self) -> None:
        """Look for ready rows that the watermarks hide; where there is one, begin anew and log an error."""
        at = self.current()
        if connection.vendor != "postgresql" or at == NO_WATERMARKS:
            return
        with transaction.atomic():
            set_transaction_limits(AUDIT_TIMEOUT)
            hidden = watermark.stranded(at)
        if hidden:
            self.reset()
            logger.error("ready events below the low watermarks", ids=hidden, watermarks=at)

    def _reset(self) -> None:
        self._at, self._safe, self._waiting, self._last = NO_WATERMARKS, 0, None, Sample(0, 0)
        self._generation += 1

    def _connected(self, **_: Any) -> None:
        self.reset()
