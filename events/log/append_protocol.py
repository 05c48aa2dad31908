"""What an append does, without a database: which statements, in which order, and what their answers mean.

`Append.steps` is a generator. It yields a step, is sent what the database answered, and returns what became of each
event. What runs it, a thread or an event loop, decides nothing. An append that is repeated because it lost to another
transaction keeps what it knows: events that it inserted itself are not its duplicates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import structlog

from events.envelope import NewEvent
from events.exceptions import EventError
from events.lanes import did_key

Status = Literal["enqueued", "duplicate", "conflict", "locked"]

WAYS = 16  # into which a group is split that met a lock
LOCKED_FOR = 1.5  # seconds for which events are tried again whose event_id an open transaction holds
TRY_AGAIN = 0.05  # seconds between two tries

logger = structlog.stdlib.get_logger(__name__)


class Appended(msgspec.Struct, frozen=True):
    """What became of one event.

    New in the log, there already, another event under an id that is taken, or not appended because an open transaction
    holds its event_id, or that of an earlier event of its DID: nothing is known of it, and it may be sent again.
    """

    event_id: UUID
    status: Status


class JustPruned(EventError):
    """An event that was in the log a moment ago no longer is."""


class Insert(NamedTuple):
    """Insert these, all or none; answered with the ids that were new, or None where one met a lock (`may_split`)."""

    events: list[NewEvent]


class FetchDigests(NamedTuple):
    """Answered with the content digests of those ids that the log has."""

    event_ids: list[UUID]


class Pause(NamedTuple):
    """Wait."""

    seconds: float


Step = Insert | FetchDigests | Pause
Steps = Generator[Step, Any, list[Appended]]


class Row(msgspec.Struct, omit_defaults=True):
    """One event as the `append` statements unfold it. A document has thousands of rows: short names."""

    i: UUID
    t: str
    d: str
    k: int
    r: int
    p: str
    g: str
    v: int | None
    rev: str | None
    o: str | None
    q: str | None = None
    w: str | None = None


class Append:
    """One append. Run `steps` again where it lost to another transaction, or after JustPruned.

    Where it `may_split`, the events of each part are committed by themselves: the caller's order within a DID is kept,
    its transaction is not.
    """

    def __init__(
        self, events: Sequence[NewEvent], *, may_split: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.events = events
        self.may_split = may_split
        self._clock = clock
        self._firsts: dict[UUID, NewEvent] = {}
        for event in events:
            self._firsts.setdefault(event.event_id, event)
        self._new: set[UUID] = set()  # inserted by this append, now or in a former run
        self._present: set[UUID] = set()  # in the log, whoever inserted them

    def forget(self) -> None:
        """Begin anew: what was inserted before was rolled back."""
        self._new.clear()
        self._present.clear()

    def steps(self) -> Steps:
        """The steps of one run; what became of each event, in their order. Raises JustPruned when it must run again."""
        left = [event for event_id, event in self._firsts.items() if event_id not in self._present]
        locked = yield from self._insert_all(left)
        if len(self._new) == len(self.events):
            return [Appended(event.event_id, "enqueued") for event in self.events]
        others = [event_id for event_id in self._firsts if event_id not in self._new and event_id not in locked]
        digests: dict[UUID, str] = {}
        if others:
            digests = yield FetchDigests(others)
            if len(digests) < len(others):
                self._present.intersection_update(self._new)
                raise JustPruned("an event was a duplicate, and pruned before its digest could be read")
        return self._verdicts(locked, digests)

    def _insert_all(self, events: list[NewEvent]) -> Generator[Step, Any, set[UUID]]:
        """Insert events; the ids of those that an open transaction holds, and of those that must come after them."""
        end = self._clock() + LOCKED_FOR
        waiting = yield from self._insert(events, depth=0)
        while waiting and self._clock() < end:
            yield Pause(TRY_AGAIN)
            still: list[list[NewEvent]] = []
            for part in waiting:
                still += yield from self._insert_in_order(part)
            waiting = still
        return {event.event_id for part in waiting for event in part}

    def _insert(self, events: list[NewEvent], depth: int) -> Generator[Step, Any, list[list[NewEvent]]]:
        """Insert events; what met a lock, by key and in order. What a part holds is split by other bits of the key."""
        if not events or (yield from self._insert_part(events)):
            return []
        keys = [did_key(event.did) for event in events]
        if len(set(keys)) == 1:
            return (yield from self._insert_in_order(events))
        parts: dict[int, list[NewEvent]] = {}
        for event, key in zip(events, keys, strict=True):
            parts.setdefault(key // WAYS**depth % WAYS, []).append(event)
        waiting: list[list[NewEvent]] = []
        for part in parts.values():
            waiting += yield from self._insert(part, depth + 1)
        return waiting

    def _insert_in_order(self, events: list[NewEvent]) -> Generator[Step, Any, list[list[NewEvent]]]:
        """Insert events of one key one by one, up to the first that meets a lock; that one and what follows it."""
        for number, event in enumerate(events):
            if not (yield from self._insert_part([event])):
                return [events[number:]]
        return []

    def _insert_part(self, events: list[NewEvent]) -> Generator[Step, Any, bool]:
        inserted: set[UUID] | None = yield Insert(events)
        if inserted is None:
            return False
        self._new |= inserted
        self._present.update(event.event_id for event in events)
        return True

    def _verdicts(self, locked: set[UUID], digests: dict[UUID, str]) -> list[Appended]:
        verdicts = []
        unclaimed = set(self._new)
        for event in self.events:
            status: Status
            if event.event_id in unclaimed:
                unclaimed.remove(event.event_id)
                status = "enqueued"
            elif event.event_id in locked:
                status = "locked"
            else:
                digest = digests.get(event.event_id) or self._firsts[event.event_id].digest
                # An id derived from the record's coordinates names the record, not its bytes: never a conflict.
                status = "duplicate" if event.derived or digest == event.digest else "conflict"
                if event.derived and digest != event.digest:
                    _log_other_content(event, digest)
            verdicts.append(Appended(event.event_id, status))
        return verdicts


def document(events: Sequence[NewEvent], instant: Callable[[datetime], str]) -> str:
    """The events as one JSON document, for the `append` statements; `instant` writes a moment as the database does."""
    rows = [
        Row(
            e.event_id,
            e.event_type,
            e.did,
            did_key(e.did),
            e.priority,
            e.payload.decode(),
            e.digest,
            e.version,
            e.rev,
            instant(e.occurred_at) if e.occurred_at else None,
            e.request_id,
            e.traceparent,
        )
        for e in events
    ]
    return msgspec.json.encode(rows).decode()


def _log_other_content(event: NewEvent, stored: str) -> None:
    """Log a repeat that is dropped though its content differs from the stored one: the answer is `duplicate`."""
    logger.warning(
        "event was repeated with another content",
        event_id=str(event.event_id),
        stored_digest=stored,
        sent_digest=event.digest,
        request_id=event.request_id,
    )
