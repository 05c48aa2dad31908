"""Persist a batch's outcome in the transaction of its effects."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict

from django.db import transaction

from events.conf import conf
from events.exceptions import EventError
from events.log.complete import complete, count, fail, snooze_blocked
from events.log.entry import Entry
from events.worker.bisection import Failure, Outcome
from events.worker.error_record import ErrorRecord
from events.worker.identity import worker_name

SNOOZED_AT_ONCE = 1_000  # rows of one key that a batch snoozes
FIRST_WAIT = 2.0  # seconds; doubled by each further attempt
JITTER = 0.1  # waits are shortened at random by up to this share: events that failed together are retried apart


class ConcurrentUpdate(EventError):
    """A pending row of the batch was changed while it was applied: roll back and repeat, no attempt counted."""


def persist(outcome: Outcome, lane: int, blockers: Sequence[dict[str, int]]) -> tuple[int, int]:
    """Complete, fail and snooze a batch's events; how many were snoozed, and when others ended.

    They are counted in the tally of `lane`, which is locked. `blockers` are the key and id of rows that wait: later
    rows of their keys wait too. Times are microseconds since 1970. Raises ConcurrentUpdate.
    """
    finished = failed = 0
    if outcome.failed:
        failed = fail(_document(outcome.failed), worker_name())
    if outcome.done or failed:
        deleted, finished = complete(outcome.done, lane, failed, worker_name())
        if deleted != len(outcome.done):
            raise ConcurrentUpdate("a pending row of the batch was changed while it was applied")
    if outcome.skipped:
        # Behind an event that failed just now, whose time `fail` has set.
        blocked = {entry.key for entry in outcome.skipped}
        retried = (failure.entry for failure in outcome.failed if failure.wait is not None)
        blockers = [*blockers, *({"key": entry.key, "id": entry.id} for entry in retried if entry.key in blocked)]
    snoozed = snooze_blocked(json.dumps(blockers), SNOOZED_AT_ONCE) if blockers else 0
    return snoozed, finished


def persist_failure(entry: Entry, lane: int, error: Exception) -> Failure:
    """Record the failure of a single event whose own transaction could not be committed, in another one."""
    failure = Failure(entry, ErrorRecord.of(error), wait_for(entry.attempts + 1))
    with transaction.atomic():
        failed = fail(_document([failure]), worker_name())
        count(lane, failed=failed)
    return failure


def wait_for(attempts: int) -> float | None:
    """Seconds before the next attempt after so many failed ones; None if there is none: 2, 4, 8 s by default."""
    if attempts > conf.max_retries:
        return None
    return FIRST_WAIT * 2 ** (attempts - 1) * random.uniform(1 - JITTER, 1)  # noqa: S311 - no secret


def _document(failures: Sequence[Failure]) -> str:
    return json.dumps(
        [{"key": each.entry.key, "id": each.entry.id, "wait": each.wait, **asdict(each.error)} for each in failures]
    )
