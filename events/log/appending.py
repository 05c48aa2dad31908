"""What an append does, without a database: which statements, in which order, and what their answers mean.

`appending` is a generator. It yields a step, is sent what the database answered (or has its error thrown in), and
returns what became of each event. Who runs it, in a thread or on an event loop, decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from events.envelope import NewEvent
from events.exceptions import EventError
from events.lanes import lane_of
from events.log.faults import refuses_row
from events.reasons import reason_of

Status = Literal["enqueued", "duplicate", "conflict"]


class Appended(msgspec.Struct, frozen=True):
    """What became of one event: new in the log, there already, or another event under an id that is taken."""

    event_id: UUID
    status: Status


class JustPruned(EventError):
    """An event that was in the log a moment ago no longer is."""


class Insert(NamedTuple):
    """Insert these, all or none; answered with the ids that were new. Keep the bytes of those with a refusal."""

    events: list[NewEvent]


class Look(NamedTuple):
    """Answered with the content digests of those ids that the log has."""

    event_ids: list[UUID]


Steps = Generator[Insert | Look, Any, list[Appended]]


class Row(msgspec.Struct, omit_defaults=True):
    """One event as the APPEND statements unfold it."""

    i: UUID
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
    n: str | None = None


def appending(events: Sequence[NewEvent]) -> Steps:
    """The steps of one append; what became of each event, in their order.

    Raises JustPruned when it must be done again, and what the database raised when it can't be helped.
    """
    firsts: dict[UUID, NewEvent] = {}
    for event in events:
        firsts.setdefault(event.event_id, event)
    new: set[UUID] = yield from _inserting(list(firsts.values()))
    if len(new) == len(events):
        return [Appended(event.event_id, "enqueued") for event in events]
    digests: dict[UUID, str] = {}
    if len(new) < len(firsts):
        others = [event_id for event_id in firsts if event_id not in new]
        digests = yield Look(others)
        if len(digests) < len(others):
            raise JustPruned("an event was a duplicate, and pruned before its digest could be read")
    return _verdicts(events, firsts, new, digests)


def document(events: Sequence[NewEvent], instant: Callable[[datetime], str]) -> str:
    """The events as one JSON document, for the APPEND statements; `instant` writes a moment as the database does."""
    rows = [
        Row(
            e.event_id,
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
            reason_of("", e.refusal) if e.refusal else None,
        )
        for e in events
    ]
    return msgspec.json.encode(rows).decode()


def _inserting(events: list[NewEvent]) -> Generator[Insert | Look, Any, set[UUID]]:
    """Insert events; a row that the database refuses is found by halving and goes in as dead, its bytes kept."""
    try:
        inserted: set[UUID] = yield Insert(events)
        return inserted
    except Exception as error:
        if not refuses_row(error) or (len(events) == 1 and events[0].refusal):
            raise
        if len(events) == 1:
            events = [_refused(events[0], str(error))]
    if len(events) == 1:
        return (yield from _inserting(events))
    half = len(events) // 2
    first = yield from _inserting(events[:half])
    return first | (yield from _inserting(events[half:]))


def _refused(event: NewEvent, reason: str) -> NewEvent:
    reason = f"the database can't hold the payload: {reason.splitlines()[0]}"
    return msgspec.structs.replace(event, payload=b"{}", raw=event.payload, refusal=reason)


def _verdicts(
    events: Sequence[NewEvent], firsts: dict[UUID, NewEvent], new: set[UUID], digests: dict[UUID, str]
) -> list[Appended]:
    verdicts = []
    unclaimed = set(new)
    for event in events:
        status: Status
        if event.event_id in unclaimed:
            unclaimed.remove(event.event_id)
            status = "enqueued"
        else:
            digest = digests.get(event.event_id) or firsts[event.event_id].digest
            # An id derived from the record's coordinates names the record, not its bytes: never a conflict.
            status = "duplicate" if event.derived or digest == event.digest else "conflict"
        verdicts.append(Appended(event.event_id, status))
    return verdicts
