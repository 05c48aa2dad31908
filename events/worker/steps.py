"""The three ways to run a batch. Each runs in a thread of the worker's, with that thread's own connection."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from django.db import connection

from events.exceptions import EventError
from events.log.errors import is_transient
from events.log.quarantine import suspects
from events.worker.batch import BatchRequest, BatchTimeout, Result, peek_batch, run_batch
from events.worker.fleet import Membership
from events.worker.lane_failures import LaneFailures
from events.worker.lines import tell
from events.worker.persist import ConcurrentUpdate
from events.worker.quarantine import mark_suspects
from events.worker.watchdog import Watchdog

ISOLATED = 16  # batches after one with a failure


class LaneFailed(EventError):
    """A batch failed by a transient error, and the database answers: its lanes are retried, others go on."""


class Steps:
    """What a thread does for one batch; the connection is left fit for the next."""

    def __init__(self, membership: Membership, watchdog: Watchdog, failures: LaneFailures) -> None:
        self.membership = membership
        self.watchdog = watchdog
        self.failures = failures
        self._isolate = 0  # batches that are isolated from the start

    def ordinary(self, request: BatchRequest) -> Result:
        """Run a batch.

        A lane whose batches fail by transient errors shares no batch until it succeeds. A statement that keeps taking
        too long while the database answers counts as its event's failure in the end: it waits and others go on.
        """
        lanes: tuple[int, ...] = ()
        suspect = request.suspect or 0
        began = time.monotonic()
        try:
            with self.watchdog.watching(), self.membership.work.step() as holding:

                def fetched(locked: tuple[int, ...], events: int) -> None:
                    nonlocal lanes
                    lanes = locked
                    holding(locked, events)

                repeated = partial(self.failures.repeated, suspect=suspect)
                result = run_batch(self._current(request), on_fetched=fetched, repeated=repeated)
        except BatchTimeout as error:
            self.failures.failed(lanes, error, time.monotonic() - began, suspect)
            mark_suspects(error.ids, alone=request.suspect is not None)
            raise
        except EventError:
            raise
        except Exception as error:
            if not (is_transient(error) and connection.is_usable()):
                raise
            self.failures.failed(lanes, error, time.monotonic() - began, suspect)
            raise LaneFailed(str(error)) from error
        self.failures.succeeded(result.lanes, suspect)
        # What fails seldom comes alone: some batches are isolated from the start, and not applied twice.
        self._isolate = ISOLATED if result.isolated and result.failed else max(0, self._isolate - 1)
        tell(result.outcome)
        return result

    def announced(self, request: BatchRequest) -> Result:
        """Run a batch whose events are written down first, where others read them if this process dies.

        The payloads are read after that. The lanes are released in between: on SQLite nothing can be written beside
        the batch's transaction.
        """
        with self.watchdog.watching():
            seen = peek_batch(self._current(request))
        if not seen.ids:
            if seen.read:
                # Only events that wait behind others: a batch that applies none of them may snooze them.
                return self.ordinary(_only(request, seen))
            self.failures.succeeded(seen.lanes)
            return seen
        return self._announced(_only(request, seen), seen.ids)

    def suspect(self) -> Result:
        """Apply one suspect, announced and alone; one that failed by a transient error when its retry is due.

        The caller sees to it that no other batch runs in this process.
        """
        for event, lane in self.failures.in_turn(suspects()):
            if (retry := self.failures.take_suspect(event, lane)) is None:
                continue
            request = BatchRequest(share=1, limit=1, lanes=(lane,), suspect=event, lock_timeout=retry.lock_timeout)
            try:
                result = self._announced(request, [event])
            except ConcurrentUpdate:
                continue
            if result.progress:
                return result
        return Result()

    def _announced(self, request: BatchRequest, ids: list[int]) -> Result:
        self.membership.announce(ids, alone=request.suspect is not None)
        try:
            return self.ordinary(request)
        finally:
            # Of a batch that raised, too: this process lives.
            self.membership.announce([])

    def _current(self, request: BatchRequest) -> BatchRequest:
        """The request with its connection's watermarks, and without the failing lanes unless it is for given lanes."""
        connection.ensure_connection()
        watermarks = self.membership.watermarks.current()
        avoid = () if request.lanes else self.failures.failing()
        return replace(request, watermarks=watermarks, isolate=self._isolate > 0, avoid=avoid)


def _only(request: BatchRequest, seen: Result) -> BatchRequest:
    return replace(request, lanes=seen.lanes, only=frozenset(seen.ids))
