"""One batch, one transaction: lock lanes, fetch, apply, complete, commit. Effects and completion commit together.

The lock on a lane's row is all the ownership there is. A process that dies drops it with its connection; one that
is stopped loses it when the server ends the transaction. No claim is written, so none is ever stale.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from django.db import transaction

from cachecore import gathering
from events.conf import conf
from events.exceptions import EventError
from events.latency import Latencies, observed
from events.log.entry import Entry
from events.log.errors import STATEMENT_TOOK_TOO_LONG, is_transient, sqlstate
from events.log.fetch import any_ready, entries, fetch, fetch_suspect, lock_lanes, lock_these, set_transaction_limits
from events.worker.bisection import Bisection, NeedsIsolation, Outcome
from events.worker.persist import persist, persist_failure, wait_for

NO_WATERMARKS = (0, 0, 0, 0)


class CommitFailed(EventError):
    """The database refused the whole batch at COMMIT, and did not say for which event."""


class BatchTimeout(EventError):
    """The server ended the batch after `EVENT_BATCH_TIMEOUT`; `ids` are its events."""

    def __init__(self, ids: list[int]) -> None:
        super().__init__("a batch outlived EVENT_BATCH_TIMEOUT and was rolled back by the server")
        self.ids = ids


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What to fetch: up to `limit` events of `share` lanes, or of `lanes`; of `only` these events, if given."""

    share: int
    limit: int
    watermarks: tuple[int, ...] = NO_WATERMARKS  # by priority: ready rows lie above
    by_age: bool = False
    lanes: tuple[int, ...] = ()
    avoid: tuple[int, ...] = ()  # lanes that are left out
    only: frozenset[int] | None = None
    suspect: int | None = None  # the id of the one event that this batch is about
    lock_timeout: float = inf  # seconds that a statement waits for a lock, if less than usual
    isolate: bool = False  # from the start: failures are to be expected


@dataclass(slots=True)
class Result:
    """What a batch did. Counts are of events; `seconds` is how long it took."""

    lanes: tuple[int, ...] = ()
    read: int = 0
    done: int = 0
    failed: int = 0
    snoozed: int = 0
    seconds: float = 0.0
    isolated: bool = False  # its events were applied so that each fails alone
    ids: list[int] = field(default_factory=list)
    latencies: Latencies = field(default_factory=dict)  # of what was done
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def progress(self) -> bool:
        """Whether fewer events are pending, or at least fewer can be fetched in vain."""
        return self.applied or self.snoozed > 0

    @property
    def applied(self) -> bool:
        """Whether processors were called: only then does the time say something of their speed."""
        return self.done + self.failed > 0


@dataclass(slots=True)
class _Batch:
    """The locked lanes, what was fetched from them, and which of it may be applied."""

    lanes: tuple[int, ...] = ()
    read: int = 0
    entries: list[Entry] = field(default_factory=list)
    blockers: list[dict[str, int]] = field(default_factory=list)  # rows that wait: their keys' later rows wait too


def run_batch(
    request: BatchRequest,
    *,
    on_fetched: Callable[[tuple[int, ...], int], None] = lambda lanes, events: None,
    repeated: Callable[[tuple[int, ...]], bool] = lambda lanes: False,
) -> Result:
    """Fetch one batch and apply it. `on_fetched` is called with its lanes and number of events before it is applied.

    Where the batches of its lanes have `repeated` often enough, a transient error that may be an event's own counts as
    that event's failure.

    Raises ConcurrentUpdate, CommitFailed, BatchTimeout, or a transient database error; then nothing of the batch is in
    the database.
    """
    if request.suspect is None and not any_ready():
        return Result(lanes=request.lanes)
    try:
        return _run_batch(request, on_fetched, repeated)
    except _LanesNeedIsolation as error:
        return _run_batch(replace(request, isolate=True, lanes=error.lanes), on_fetched, repeated)


class _LanesNeedIsolation(EventError):
    """A batch of these lanes failed as a whole."""

    def __init__(self, lanes: tuple[int, ...]) -> None:
        super().__init__("a batch failed and is applied again, isolating")
        self.lanes = lanes


def _run_batch(
    request: BatchRequest,
    on_fetched: Callable[[tuple[int, ...], int], None],
    repeated: Callable[[tuple[int, ...]], bool],
) -> Result:
    started = time.monotonic()
    result = Result(isolated=request.isolate)
    batch: _Batch | None = None
    try:
        with transaction.atomic():
            started = time.monotonic()  # on SQLite this transaction may have waited for another one's end
            batch = _lock_and_fetch(request)
            result.lanes = batch.lanes
            if batch.read:
                on_fetched(batch.lanes, len(batch.entries))
                with gathering():
                    bisection = Bisection(wait_for, isolate=request.isolate, count_transient=repeated(batch.lanes))
                    outcome = bisection.apply(batch.entries)
                result.snoozed, finished = persist(outcome, batch.lanes[0], batch.blockers)
                result.read = batch.read
                result.done, result.failed = len(outcome.done), len(outcome.failed)
                result.outcome = outcome
    except NeedsIsolation as error:
        raise _LanesNeedIsolation(result.lanes) from error
    except EventError:
        raise
    except Exception as error:
        if batch is not None and batch.entries and _ran_out_of_time(error, time.monotonic() - started):
            raise BatchTimeout([entry.id for entry in batch.entries]) from error
        if batch is None or is_transient(error):
            raise
        if not request.isolate:
            raise _LanesNeedIsolation(result.lanes) from error
        if len(batch.entries) == 1:
            result.outcome = Outcome(failed=[persist_failure(batch.entries[0], batch.lanes[0], error)])
            result.read, result.done, result.failed = 1, 0, 1
        else:
            raise CommitFailed(str(error)) from error
    result.seconds = time.monotonic() - started
    if result.done:
        result.latencies = observed(outcome.done, finished)
    return result


def peek_batch(request: BatchRequest) -> Result:
    """What a batch would apply now: its lanes and the ids of its events. Reads no payload, and locks nothing after."""
    if not any_ready():
        return Result(lanes=request.lanes)
    with transaction.atomic():
        set_transaction_limits(conf.batch_timeout, request.lock_timeout)
        lanes = _lock(request)
        rows = fetch(lanes, request.limit, request.watermarks, by_age=request.by_age, only=()) if lanes else []
    applicable, _ = _applicable(rows, None)
    return Result(lanes=tuple(lanes), read=len(rows), ids=[row[0] for row in applicable])


def _lock(request: BatchRequest) -> list[int]:
    if request.lanes:
        return lock_these(request.lanes)
    return lock_lanes(request.share, request.watermarks, by_age=request.by_age, avoid=request.avoid)


def _lock_and_fetch(request: BatchRequest) -> _Batch:
    set_transaction_limits(conf.batch_timeout, request.lock_timeout)
    lanes = _lock(request)
    batch = _Batch(lanes=tuple(lanes))
    if not lanes:
        return batch
    if request.suspect is not None:
        rows = applicable = fetch_suspect(request.suspect)
    else:
        rows = fetch(lanes, request.limit, request.watermarks, by_age=request.by_age, only=request.only)
        applicable, batch.blockers = _applicable(rows, request.only)
    batch.read = len(rows)
    batch.entries = entries(applicable)
    return batch


def _applicable(
    rows: Sequence[tuple[Any, ...]], only: frozenset[int] | None
) -> tuple[list[tuple[Any, ...]], list[dict[str, int]]]:
    """Of each key the rows before the first that must wait, by id; and those that do: for their time, or to run alone.

    An event that was not announced (`only`) just ends its key's part of this batch.
    """
    applicable: list[tuple[Any, ...]] = []
    blockers: list[dict[str, int]] = []
    ended: set[int] = set()
    for row in sorted(rows, key=_id):
        id_, key, suspect, until = row[:4]
        if key in ended:
            continue
        if until is not None or suspect:
            ended.add(key)
            blockers.append({"key": key, "id": id_})
        elif only is not None and id_ not in only:
            ended.add(key)
        else:
            applicable.append(row)
    return applicable, blockers


def _ran_out_of_time(error: Exception, seconds: float) -> bool:
    """Whether the server canceled a statement because of its length: sooner, it was canceled for another reason."""
    return sqlstate(error) in STATEMENT_TOOK_TOO_LONG and seconds > 0.9 * conf.batch_timeout


def _id(row: tuple[Any, ...]) -> int:
    return int(row[0])
