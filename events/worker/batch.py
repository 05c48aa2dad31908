"""One fenced batch: lock lanes, read, apply, complete, commit. Effects and completion are one transaction.

The lock on a lane's row is all the ownership there is. A process that dies drops it with its connection; one that
is stopped loses it when the server ends the transaction. Nothing is claimed in writing, so nothing is ever released.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connections, transaction

from cachecore import gathering
from events.conf import conf
from events.exceptions import EventError
from events.latency import Latencies, observed
from events.log import dialect
from events.log.entry import Entry
from events.log.faults import STATEMENT_TOOK_TOO_LONG, is_nobodys_fault, sqlstate
from events.retry import wait_before_retry
from events.worker.fault import Fault
from events.worker.identity import worker_name
from events.worker.isolation import Failure, Isolation, Outcome

HELD_BACK = 1_000  # events of one DID that a step postpones at once


class Overtaken(EventError):
    """An operator ended one of the batch's events while it was applied: roll back and read again."""


class CommitRefused(EventError):
    """The database refused the whole batch at COMMIT, and did not say for which event."""


class OutOfTime(EventError):
    """The server ended the batch after `EVENT_BATCH_TIMEOUT`; `ids` are its events."""

    def __init__(self, ids: list[int]) -> None:
        super().__init__("a batch outlived EVENT_BATCH_TIMEOUT and was rolled back by the server")
        self.ids = ids


@dataclass(frozen=True, slots=True)
class Take:
    """What a step takes: up to `limit` events of `share` lanes, or of `lanes`; of `only` these events, if given."""

    share: int
    limit: int
    by_age: bool = False
    lanes: tuple[int, ...] = ()
    only: frozenset[int] | None = None
    impatient: bool = False  # count even what is nobody's fault as the events' failure
    suspect: int | None = None  # the id of the one event that this step is about


@dataclass(slots=True)
class Result:
    """What a step did. Counts are of events; `seconds` is how long it took."""

    lanes: tuple[int, ...] = ()
    read: int = 0
    done: int = 0
    failed: int = 0
    postponed: int = 0
    seconds: float = 0.0
    finding: float = 0.0  # seconds of it until the batch was read
    ids: list[int] = field(default_factory=list)
    latencies: Latencies = field(default_factory=dict)  # of what was done
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def progress(self) -> bool:
        """Whether the log is nearer its end, or at least fewer events stand in the way."""
        return self.applied or self.postponed > 0

    @property
    def applied(self) -> bool:
        """Whether processors were called: only then does the step tell of their speed."""
        return self.done + self.failed > 0


def step(
    take: Take,
    floors: Sequence[int],
    *,
    using: str = "default",
    holding: Callable[[tuple[int, ...], int], None] = lambda lanes, events: None,
) -> Result:
    """Take one batch through its transaction. `holding` hears of its lanes and number of events once it is read.

    Raises Overtaken, CommitRefused, or what `is_nobodys_fault` knows; then nothing of the batch is in the database.
    """
    started = time.monotonic()
    connection = connections[using]
    log = dialect(connection)
    result = Result()
    if take.suspect is None and not log.any_ready(connection):
        return result
    batch: _Batch | None = None
    try:
        with transaction.atomic(using=using):
            batch = _lock_and_read(connection, log, take, floors)
            result.lanes = batch.lanes
            result.finding = time.monotonic() - started
            if batch.rows:
                holding(batch.lanes, len(batch.entries))
                with gathering(using):
                    outcome = Isolation(connection, _wait_for, impatient=take.impatient).apply(batch.entries)
                result.postponed, finished = _record(connection, log, batch, outcome)
                result.read = len(batch.rows)
                result.done, result.failed = len(outcome.done), len(outcome.failed)
                result.outcome = outcome
    except EventError:
        raise
    except Exception as error:
        if batch is not None and batch.entries and _ran_out_of_time(error, time.monotonic() - started):
            raise OutOfTime([entry.id for entry in batch.entries]) from error
        if batch is None or is_nobodys_fault(error):
            raise
        if len(batch.entries) == 1:
            result.outcome = Outcome(failed=[_bury_or_retry(connection, log, batch, error)])
            result.read, result.done, result.failed = 1, 0, 1
        else:
            raise CommitRefused(str(error)) from error
    result.seconds = time.monotonic() - started
    if result.done:
        result.latencies = observed(outcome.done, finished)
    return result


def peek(take: Take, floors: Sequence[int], *, using: str = "default") -> Result:
    """What a step would take now: its lanes and the ids of its events. Holds nothing afterwards."""
    connection = connections[using]
    log = dialect(connection)
    if not log.any_ready(connection):
        return Result()
    with transaction.atomic(using=using):
        batch = _lock_and_read(connection, log, take, floors)
    return Result(lanes=batch.lanes, read=len(batch.rows), ids=[entry.id for entry in batch.entries])


@dataclass(slots=True)
class _Batch:
    """The held lanes, what was read of them, and which of it may be applied."""

    lanes: tuple[int, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    held_up: dict[str, tuple[int, Any]] = field(default_factory=dict)  # by DID: the event that waits, until when


def _lock_and_read(connection: Any, log: Any, take: Take, floors: Sequence[int]) -> _Batch:
    log.fence(connection, conf.batch_timeout)
    if take.lanes:
        lanes = log.lock_these(connection, take.lanes)
    else:
        lanes = log.lock_lanes(connection, take.share, floors, by_age=take.by_age)
    batch = _Batch(lanes=tuple(lanes))
    if not lanes:
        return batch
    if take.suspect is not None:
        batch.rows = log.read_suspect(connection, take.suspect)
        batch.entries = [log.entry(row) for row in batch.rows]
        return batch
    batch.rows = sorted(log.read(connection, lanes, take.limit, floors, by_age=take.by_age), key=_id)
    _choose(batch, log, take.only)
    return batch


def _choose(batch: _Batch, log: Any, only: frozenset[int] | None) -> None:
    """Of each DID, the events before the first that must wait: for its time, or to run alone as a suspect.

    An event that was not announced (`only`) just ends its DID's part of this batch.
    """
    ended: set[str] = set()
    for row in batch.rows:
        entry, until = log.entry(row), row[12]
        if entry.did in ended:
            continue
        if until is not None or entry.suspect:
            ended.add(entry.did)
            batch.held_up[entry.did] = entry.id, until
        elif only is not None and entry.id not in only:
            ended.add(entry.did)
        else:
            batch.entries.append(entry)


def _record(connection: Any, log: Any, batch: _Batch, outcome: Outcome) -> tuple[int, int]:
    """Write what became of the batch's events beside their effects; how many were postponed, and when others ended."""
    finished = failed = 0
    if outcome.failed:
        failed = log.fail(connection, _document(outcome.failed), worker_name())
    if outcome.done or failed:
        done = [entry.id for entry in outcome.done]
        still_pending, finished = log.complete(connection, done, batch.lanes[0], failed)
        if still_pending != len(done):
            raise Overtaken("an event of the batch was ended by an operator")
    if outcome.left:
        # They follow an event that failed just now; the step that meets them next holds them back until its time.
        log.postpone(connection, [entry.id for entry in outcome.left])
    return len(outcome.left) + _hold_back(connection, log, batch.held_up), finished


def _hold_back(connection: Any, log: Any, held_up: dict[str, tuple[int, Any]]) -> int:
    """Postpone what follows events that wait, to their time: no lane is taken in a loop for what can't run."""
    if not held_up:
        return 0
    behind = [
        {"did": did, "after": after, "until": until and _text(log, until)} for did, (after, until) in held_up.items()
    ]
    return int(log.hold_back(connection, json.dumps(behind), HELD_BACK))


def _bury_or_retry(connection: Any, log: Any, batch: _Batch, error: Exception) -> Failure:
    """Record the failure of a single event whose own transaction could not be committed."""
    [entry] = batch.entries
    failure = Failure(entry, Fault.of(error), _wait_for(entry.attempts + 1))
    with transaction.atomic(using=connection.alias):
        failed = log.fail(connection, _document([failure]), worker_name())
        log.count(connection, batch.lanes[0], failed=failed)
    return failure


def _document(failures: Sequence[Failure]) -> str:
    return json.dumps(
        [
            {
                "id": failure.entry.id,
                "wait": failure.wait,
                "error": failure.fault.text,
                "reason": failure.fault.reason,
                "kind": failure.fault.kind,
                "message": failure.fault.message,
                "trace": failure.fault.trace,
            }
            for failure in failures
        ]
    )


def _ran_out_of_time(error: Exception, seconds: float) -> bool:
    """Whether the server canceled a statement because of its length: sooner, somebody else canceled it."""
    return sqlstate(error) in STATEMENT_TOOK_TOO_LONG and seconds > 0.9 * conf.batch_timeout


def _wait_for(attempts: int) -> float | None:
    return wait_before_retry(attempts, conf.max_retries, random.random())  # noqa: S311 - jitter, no secret


def _text(log: Any, until: Any) -> str:
    return until if isinstance(until, str) else log.instant(until)


def _id(row: tuple[Any, ...]) -> int:
    return int(row[0])
