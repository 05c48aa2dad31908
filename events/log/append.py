"""Append to the log: durable when it returns (or with the caller's own transaction), idempotent by event_id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, OperationalError, connection, transaction

from events.envelope import NewEvent, from_mapping
from events.log import dialect
from events.log.append_protocol import Append, Appended, FetchDigests, Insert, JustPruned, document
from events.log.errors import LOCK_TIMEOUT, is_transient, sqlstate
from events.models import Event
from events.reasons import reason_of
from events.wakeup import notify

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


def append_dead(event: NewEvent, error: str) -> Appended:
    """Append an event that can never be applied, as a dead letter with this error, in one transaction.

    For sources that must not lose what they can't read. A duplicate changes nothing.
    """

    def bury(appended: list[Appended]) -> None:
        if appended[0].status == "enqueued":
            ids = list(Event.objects.filter(event_id=event.event_id).values_list("pk", flat=True))
            dialect().bury(ids, error=error, reason=reason_of("", error))

    [appended] = append_new([event], then=bury)
    return appended


def append_new(
    events: Iterable[NewEvent],
    *,
    then: Callable[[list[Appended]], None] = lambda appended: None,
    may_split: bool = False,
) -> list[Appended]:
    """Append validated events; what became of each, in their order.

    In one transaction, the caller's where there is one; `then` is called in it. Where they `may_split` and the caller
    has no transaction, events that meet a lock don't hold the others up: see `events.log.append_protocol`.
    """
    append = Append(list(events), may_split=may_split and dialect().SPLITS and not connection.in_atomic_block)
    if not append.events:
        return []
    if connection.in_atomic_block:
        return _append_once(append, then)
    log = dialect()
    end = time.monotonic() + REPEAT_FOR
    with log.failing_fast():
        while True:
            try:
                return _append_once(append, then)
            except (DatabaseError, JustPruned) as error:
                lost = isinstance(error, JustPruned) or is_transient(error, lost_connection=False)
                if not lost or time.monotonic() > end:
                    raise
                time.sleep(log.PAUSE)


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
    log = dialect()
    steps = append.steps()
    answer: Any = None
    try:
        while True:
            step = steps.send(answer)
            if isinstance(step, Insert):
                answer = _insert(step, impatient=append.may_split)
            elif isinstance(step, FetchDigests):
                found = log.digests(list(map(str, step.event_ids)))
                answer = {UUID(event_id): digest for event_id, digest in found.items()}
            else:
                time.sleep(step.seconds)
    except StopIteration as end:
        appended: list[Appended] = end.value
        return appended


def _insert(step: Insert, *, impatient: bool) -> set[UUID] | None:
    log = dialect()
    try:
        return {UUID(event_id) for event_id in log.append(document(step.events, log.instant), impatient=impatient)}
    except OperationalError as error:
        if not (impatient and sqlstate(error) == LOCK_TIMEOUT):
            raise
        return None
