"""Append to the log: durable when it returns (or with the caller's own transaction), idempotent by event_id."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, OperationalError, connection, transaction

from events.envelope import NewEvent, from_mapping
from events.log.append_protocol import Append, Appended, FetchDigests, Insert, JustPruned, document
from events.log.database import array, changed, failing_fast, instant, microseconds_now, run
from events.log.errors import LOCK_TIMEOUT, is_contention, sqlstate
from events.wakeup import notify

PATIENCE = "5ms"  # for which a split append waits for an event_id that an open transaction holds
# Seconds before an append is repeated that lost to a deadlock, or found the file locked: half of a worker's pause.
PAUSE = {"postgresql": 0.01, "sqlite": 0.001}
REPEAT_FOR = 20.0  # seconds that an append is repeated which lost to a deadlock or to another writer


def append(events: Mapping[str, Any] | NewEvent | Iterable[Mapping[str, Any] | NewEvent]) -> list[Appended]:
    """Append one event or several; what became of each, in their order.

    An event is a mapping `{event_type, did, payload, priority=1, event_id?, rev?, occurred_at?}`. All of them go
    in one transaction: the caller's, where there is one. Appending the same event again changes nothing.

    Raises EnvelopeError, before anything is written, if one of them is not an event.
    """
    single = isinstance(events, Mapping | NewEvent)
    several: Iterable[Mapping[str, Any] | NewEvent] = [events] if single else events  # type: ignore[list-item, assignment]
    return append_new([e if isinstance(e, NewEvent) else from_mapping(e) for e in several])


async def aappend(events: Mapping[str, Any] | NewEvent | Iterable[Mapping[str, Any] | NewEvent]) -> list[Appended]:
    """The async twin of `append`."""
    return await sync_to_async(append)(events)


def append_new(
    events: Iterable[NewEvent],
    *,
    then: Callable[[list[Appended]], None] = lambda appended: None,
    may_split: bool = False,
) -> list[Appended]:
    """Append validated events; what became of each, in their order.

    In one transaction, the caller's where there is one; `then` is called in it. Where they `may_split`, which excludes
    `then`, and the caller has no transaction, events that meet a lock don't hold the others up: see
    `events.log.append_protocol`.
    """
    # SQLite's one writer holds everything, and a transaction is one.
    splits = may_split and connection.vendor == "postgresql" and not connection.in_atomic_block
    append = Append(list(events), may_split=splits)
    if not append.events:
        return []
    if connection.in_atomic_block:
        return _append_once(append, then)
    end = time.monotonic() + REPEAT_FOR
    with failing_fast():
        while True:
            try:
                return _append_once(append, then)
            except (DatabaseError, JustPruned) as error:
                lost = isinstance(error, JustPruned) or is_contention(error)
                if not lost or time.monotonic() > end:
                    raise
                time.sleep(PAUSE[connection.vendor])


def _append_once(append: Append, then: Callable[[list[Appended]], None]) -> list[Appended]:
    if append.may_split:
        appended = _run(append)
        notify()
        return appended
    append.forget()
    with transaction.atomic():
        appended = _run(append)
        then(appended)
        transaction.on_commit(notify)
    return appended


def _run(append: Append) -> list[Appended]:
    """Run an append's steps in the transaction that is open; without one, each in its own."""
    steps = append.steps()
    answer: Any = None
    try:
        while True:
            step = steps.send(answer)
            if isinstance(step, Insert):
                answer = _insert(step, impatient=append.may_split)
            elif isinstance(step, FetchDigests):
                answer = _digests(step.event_ids)
            else:
                time.sleep(step.seconds)
    except StopIteration as end:
        appended: list[Appended] = end.value
        return appended


def _insert(step: Insert, *, impatient: bool) -> set[UUID] | None:
    text = document(step.events, instant)
    if connection.vendor == "sqlite":
        rows = run("append", document=text, microseconds=microseconds_now())
        changed("append_pending", ids=array(id_ for id_, _ in rows))
        return {UUID(event_id) for _, event_id in rows}
    try:
        return {event_id for (event_id,) in run("append", document=text, patience=PATIENCE if impatient else None)}
    except OperationalError as error:
        if not (impatient and sqlstate(error) == LOCK_TIMEOUT):
            raise
        return None


def _digests(event_ids: Iterable[UUID]) -> dict[UUID, str]:
    if connection.vendor == "sqlite":
        wanted = json.dumps([event_id.hex for event_id in event_ids])
        return {UUID(event_id): digest for event_id, digest in run("digests", event_ids=wanted)}
    return dict(run("digests", event_ids=array(event_ids)))
