"""Appending to the log: durable when it returns (or with the caller's own transaction), idempotent by event_id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from events.conf import conf
from events.envelope import NewEvent, from_mapping
from events.exceptions import EventError
from events.lanes import lane_of
from events.log import dialect
from events.log.faults import is_nobodys_fault, refuses_row

Status = Literal["enqueued", "duplicate", "conflict"]

PATIENCE = 20.0  # seconds that an append is repeated which lost to a deadlock or to another writer


class Appended(msgspec.Struct, frozen=True):
    """What became of one event: new in the log, there already, or another event under an id that is taken."""

    event_id: UUID
    status: Status


_checked: set[tuple[str, int]] = set()


class JustPruned(EventError):
    """An event that was in the log a moment ago no longer is."""


class Row(msgspec.Struct, omit_defaults=True):
    """One event as the APPEND statements unfold it."""

    i: str
    t: str
    d: str
    l: int  # noqa: E741 - a document of thousands of rows: short names
    r: int
    p: msgspec.Raw
    g: str
    v: int | None
    rev: str | None
    o: str | None
    e: str | None
    q: str | None = None
    w: str | None = None


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
    _check_lanes(using)
    firsts: dict[UUID, NewEvent] = {}
    for event in events:
        firsts.setdefault(event.event_id, event)
    if connection.in_atomic_block:
        return _append_once(connection, events, firsts)
    log = dialect(connection)
    give_up = time.monotonic() + PATIENCE
    with log.failing_fast(connection):
        while True:
            try:
                return _append_once(connection, events, firsts)
            except (DatabaseError, JustPruned) as error:
                lost = isinstance(error, JustPruned) or is_nobodys_fault(error, lost_connection=False)
                if not lost or time.monotonic() > give_up:
                    raise
                time.sleep(log.PAUSE)


def _check_lanes(using: str) -> None:
    """Once a process: raise LaneCountError if it would spread DIDs over other lanes than the workers hold."""
    from events.models import Lane

    if (using, conf.lanes) not in _checked:
        Lane.check_count(using=using)
        _checked.add((using, conf.lanes))


def _append_once(
    connection: BaseDatabaseWrapper, events: list[NewEvent], firsts: dict[UUID, NewEvent]
) -> list[Appended]:
    using = connection.alias
    with transaction.atomic(using=using):
        verdicts = _verdicts(events, firsts, *_insert_and_look(connection, list(firsts.values())))
        _wake_workers(using)
    return verdicts


def _insert_and_look(connection: BaseDatabaseWrapper, events: list[NewEvent]) -> tuple[set[UUID], dict[UUID, str]]:
    """The ids that were new, and digests of those that the log had. Raises JustPruned if one was neither."""
    new = _insert(connection, events)
    others = [event.event_id for event in events if event.event_id not in new]
    if not others:
        return new, {}
    log = dialect(connection)
    digests = {UUID(event_id): digest for event_id, digest in log.digests(connection, list(map(str, others))).items()}
    if len(digests) < len(others):
        raise JustPruned("an event was a duplicate, and pruned before its digest could be read")
    return new, digests


def _insert(connection: BaseDatabaseWrapper, events: list[NewEvent]) -> set[UUID]:
    """Insert events; a row that the database refuses is found by halving and goes in as dead, its bytes kept."""
    log = dialect(connection)
    try:
        with transaction.atomic(using=connection.alias):
            inserted = {UUID(event_id) for event_id in log.append(connection, _document(events, log.instant))}
            for event in events:
                if event.refusal and event.event_id in inserted:
                    _keep_raw(connection, event)
            return inserted
    except DatabaseError as error:
        if not refuses_row(error) or (len(events) == 1 and events[0].refusal):
            raise
        if len(events) == 1:
            return _insert(connection, [_refused(events[0], str(error))])
    half = len(events) // 2
    return _insert(connection, events[:half]) | _insert(connection, events[half:])


def _refused(event: NewEvent, reason: str) -> NewEvent:
    reason = f"the database can't hold the payload: {reason.splitlines()[0]}"
    return msgspec.structs.replace(event, payload=b"{}", raw=event.payload, refusal=reason)


def _keep_raw(connection: BaseDatabaseWrapper, event: NewEvent) -> None:
    from events.models import Event

    Event.objects.using(connection.alias).filter(event_id=event.event_id).update(raw=event.raw)


def _document(events: list[NewEvent], instant: Callable[[datetime], str]) -> str:
    rows = [
        Row(
            str(e.event_id),
            e.event_type,
            e.did,
            lane_of(e.did),
            e.priority,
            msgspec.Raw(e.payload),
            e.digest,
            e.version,
            e.rev,
            instant(e.occurred_at) if e.occurred_at else None,
            e.refusal or None,
            e.request_id,
            e.traceparent,
        )
        for e in events
    ]
    return msgspec.json.encode(rows).decode()


def _verdicts(
    events: list[NewEvent], firsts: dict[UUID, NewEvent], new: set[UUID], digests: dict[UUID, str]
) -> list[Appended]:
    verdicts = []
    for event in events:
        status: Status
        if event.event_id in new and firsts[event.event_id] is event:
            status = "enqueued"
        else:
            digest = digests.get(event.event_id) or firsts[event.event_id].digest
            # An id derived from the record's coordinates names the record, not its bytes: never a conflict.
            status = "duplicate" if event.derived or digest == event.digest else "conflict"
        verdicts.append(Appended(event.event_id, status))
    return verdicts


def _wake_workers(using: str) -> None:
    from events.wakeup import ring

    transaction.on_commit(lambda: ring(using), using=using)
