"""Apply a batch, and isolate the events in it that fail: it is halved until each stands alone.

Failures are seldom and savepoints cost three round trips, so a batch is first applied without: when it fails, all of it
is rolled back and applied again, isolating.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from django.db import connection, transaction

from events.exceptions import EventError, PermanentError
from events.log.entry import Entry
from events.log.errors import is_transient, may_be_the_events_own
from events.worker import rounds
from events.worker.error_record import ErrorRecord


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt. `wait` is in seconds until the next, None if there is none: the event is dead."""

    entry: Entry
    error: ErrorRecord
    wait: float | None


@dataclass(slots=True)
class Outcome:
    """What became of a batch: effects of `done` are in the transaction; `skipped` follow one that must wait."""

    done: list[Entry] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    skipped: list[Entry] = field(default_factory=list)


class NeedsIsolation(EventError):
    """A batch that was applied as a whole failed: some of its events, and it is not known which."""


class Bisection:
    """One batch on its way through the processors.

    With `isolate` each event fails alone; without, any failure raises NeedsIsolation.
    `wait_for(attempts)` says how long an event waits after so many failed attempts, None if no attempt is left. With
    `count_transient` a transient error that may be the event's own counts as its failure: it was repeated in vain.
    """

    def __init__(
        self, wait_for: Callable[[int], float | None], *, isolate: bool = True, count_transient: bool = False
    ) -> None:
        self.isolate = isolate
        self.count_transient = count_transient
        self.wait_for = wait_for
        self.outcome = Outcome()
        self._waiting: set[str] = set()  # DIDs whose later events follow one that must wait

    def apply(self, entries: list[Entry]) -> Outcome:
        """Apply entries, given in the order of the log, each failing alone.

        Raises transient errors (see `events.log.errors`): the whole batch is to be repeated.
        """
        decoded = []
        for entry in entries:
            if entry.did in self._waiting:
                self.outcome.skipped.append(entry)
                continue
            try:
                rounds.decode(entry)
            except BaseException as error:  # as below
                self._fail(entry, error)
            else:
                decoded.append(entry)
        self._attempt(decoded)
        return self.outcome

    def _attempt(self, entries: list[Entry]) -> None:
        entries = self._without_waiting(entries)
        if not entries:
            return
        try:
            with transaction.atomic() if self.isolate else nullcontext():
                rounds.apply(entries)
                self._refuse_silent_rollback()
                if self.isolate:
                    self._check_constraints()
        except BaseException as error:  # a processor may call sys.exit(): its event's failure, not the worker's end
            if not isinstance(error, PermanentError) and is_transient(error) and not self._counts(error):
                raise
            if not self.isolate:
                raise NeedsIsolation from error
            if len(entries) == 1:
                self._fail(entries[0], error)
                return
        else:
            self.outcome.done.extend(entries)
            return
        half = len(entries) // 2
        self._attempt(entries[:half])
        self._attempt(entries[half:])

    def _counts(self, error: BaseException) -> bool:
        return self.count_transient and may_be_the_events_own(error)

    def _without_waiting(self, entries: list[Entry]) -> list[Entry]:
        if not self._waiting:
            return entries
        self.outcome.skipped.extend(e for e in entries if e.did in self._waiting)
        return [e for e in entries if e.did not in self._waiting]

    def _refuse_silent_rollback(self) -> None:
        # A processor that caught a database error which had passed through an atomic block leaves the transaction
        # marked: Django would roll the savepoint back silently, and the events would be done without effects.
        if connection.needs_rollback:
            raise transaction.TransactionManagementError(
                "the processor went on after a database error inside atomic(): its effects would have been rolled back"
            )

    def _check_constraints(self) -> None:
        # Django's foreign keys are checked at COMMIT, where one bad row would fail the batch without naming its event.
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("set constraints all immediate; set constraints all deferred")

    def _fail(self, entry: Entry, error: BaseException) -> None:
        wait = None if isinstance(error, PermanentError) else self.wait_for(entry.attempts + 1)
        self.outcome.failed.append(Failure(entry, ErrorRecord.of(error), wait))
        if wait is not None:
            self._waiting.add(entry.did)
