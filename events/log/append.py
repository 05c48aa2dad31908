"""Appending to the log: durable when it returns (or with the caller's own transaction), idempotent by event_id."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from events.conf import conf
from events.envelope import NewEvent, from_mapping
from events.log import dialect
from events.log.appending import Appended, Insert, JustPruned, Look, Steps, appending, document
from events.log.faults import is_nobodys_fault
from events.wakeup import ring

PATIENCE = 20.0  # seconds that an append is repeated which lost to a deadlock or to another writer


_checked: set[tuple[str, int]] = set()


def append(
    events: Mapping[str, Any] | NewEvent | Iterable[Mapping[str, Any] | NewEvent], *, using: str = "default"
) -> list[Appended]:
    """Append one event or several; what became of each, in their order.

    An event is a mapping `{event_type, did, payload, priority=1, event_id?, rev?, occurred_at?}`. All of them go
    in one transaction: the caller's, where there is one. Appending the same event again changes nothing.

    Raises EnvelopeError, before anything is written, if one of them is not an event.
    """
    single = isinstance(events, Mapping | NewEvent)
    several: Iterable[Mapping[str, Any] | NewEvent] = [events] if single else events  # type: ignore[list-item, assignment]
    return append_new([e if isinstance(e, NewEvent) else from_mapping(e) for e in several], using=using)


async def aappend(
    events: Mapping[str, Any] | NewEvent | Iterable[Mapping[str, Any] | NewEvent], *, using: str = "default"
) -> list[Appended]:
    """The async twin of `append`."""
    return await sync_to_async(append)(events, using=using)


def append_new(events: Iterable[NewEvent], *, using: str = "default") -> list[Appended]:
    """Append validated events; what became of each, in their order."""
    events = list(events)
    if not events:
        return []
    connection = connections[using]
    check_lanes(using)
    if connection.in_atomic_block:
        return _append_once(connection, events)
    log = dialect(connection)
    give_up = time.monotonic() + PATIENCE
    with log.failing_fast(connection):
        while True:
            try:
                return _append_once(connection, events)
            except (DatabaseError, JustPruned) as error:
                lost = isinstance(error, JustPruned) or is_nobodys_fault(error, lost_connection=False)
                if not lost or time.monotonic() > give_up:
                    raise
                time.sleep(log.PAUSE)


def check_lanes(using: str) -> None:
    """Once a process: raise LaneCountError if it would spread DIDs over other lanes than the workers hold."""
    from events.models import Lane

    if (using, conf.lanes) not in _checked:
        Lane.check_count(using=using)
        _checked.add((using, conf.lanes))


def _append_once(connection: BaseDatabaseWrapper, events: list[NewEvent]) -> list[Appended]:
    using = connection.alias
    with transaction.atomic(using=using):
        appended = _run(connection, appending(events))
        transaction.on_commit(lambda: ring(using), using=using)
    return appended


def _run(connection: BaseDatabaseWrapper, steps: Steps) -> list[Appended]:
    try:
        step = next(steps)
        while True:
            try:
                answer = _insert(connection, step) if isinstance(step, Insert) else _look(connection, step)
            except DatabaseError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        appended: list[Appended] = end.value
        return appended


def _insert(connection: BaseDatabaseWrapper, step: Insert) -> set[UUID]:
    from events.models import Event

    log, using = dialect(connection), connection.alias
    with transaction.atomic(using=using):
        inserted = {UUID(event_id) for event_id in log.append(connection, document(step.events, log.instant))}
        for event in step.events:
            if event.refusal and event.event_id in inserted:
                Event.objects.using(using).filter(event_id=event.event_id).update(raw=event.raw)
    return inserted


def _look(connection: BaseDatabaseWrapper, step: Look) -> dict[UUID, str]:
    found = dialect(connection).digests(connection, list(map(str, step.event_ids)))
    return {UUID(event_id): digest for event_id, digest in found.items()}
