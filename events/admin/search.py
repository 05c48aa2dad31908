"""Find events in a log that is too long to count or to scan.

One index leads, whatever is asked for: that of the event_id, of the key of the DID, of the table of the state, or the
primary key, from which a time is also found, since ids are given in the order of receipt. The other conditions are
compared on the way. A page ends when it is full, or after LOOK events: then it says how far it looked, and a link goes
on from there. So every page costs about the same, whatever is in the log.

The walk reads a state from two probes, of the pending rows and of the dead letters. The rows that a page shows are read
again with their states, in one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import BooleanField, Case, IntegerField, OuterRef, QuerySet, Subquery, TextField, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce, StrIndex

from events.lanes import did_key
from events.models import DeadLetter, Event, Pending
from events.syntax import parse_record_uri

PAGE = 50  # events
LOOK = 10_000  # events that a page looks at
CHUNK = 500  # events read at once
PART = 50  # events, of which those that may be of a record are decoded together
PAYLOADS = 500  # that a page decodes
LATE = timedelta(minutes=1)  # how much later than its neighbours an event may have been given its id
NEWEST = 2**63 - 1  # above every id
BETWEEN = "(events_event.key, events_event.id) > (%s, %s) and (events_event.key, events_event.id) < (%s, %s)"

State = Event.State


class Seen(NamedTuple):
    """An event on the way. `state` is None where none is asked for."""

    id: int
    event_type: str
    received_at: datetime
    state: int | None
    uri_at: int  # where the payload's text has the URI; 0: nowhere


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; None or empty where anything will do."""

    event_id: UUID | None = None
    did: str = ""
    uri: str = ""
    event_type: str = ""
    state: int | None = None
    since: datetime | None = None  # of the receipt
    until: datetime | None = None

    @property
    def owner(self) -> str:
        """The DID whose events are looked through: a record's own, where a URI is looked for."""
        return self.did or (parse_record_uri(self.uri).authority if self.uri else "")

    def fits(self, seen: Seen) -> bool:
        """Whether an event is what is looked for, as far as no index has said so and its text can say."""
        return (
            (not self.event_type or seen.event_type == self.event_type)
            and (self.state is None or seen.state == self.state)
            and (self.since is None or seen.received_at >= self.since)
            and (self.until is None or seen.received_at < self.until)
            and (not self.uri or seen.uri_at > 0)
        )


class Page(NamedTuple):
    """Some events, the newest first."""

    events: list[Any]  # events with their states
    before: int | None  # where the next page begins; None where nothing is left
    looked: int  # events that were looked at
    ended_at: datetime | None  # the receipt of the last of them


@dataclass(slots=True)
class _Walk:
    found: list[int] = field(default_factory=list)
    looked: int = 0
    last: Seen | None = None
    more: bool = False


def find(wanted: Wanted, *, before: int = NEWEST, limit: int = PAGE) -> Page:
    """The newest events below the id `before` that fit, `limit` of them at the most."""
    rows = Event.objects.with_state().defer("payload")
    if wanted.event_id is not None:
        one = list(rows.filter(event_id=wanted.event_id))
        return Page(one, None, len(one), None)
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Rows are wanted in the order of an index, and few of them, whatever the statistics of the moment say.
                for setting in ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin"):
                    cursor.execute(f"set local enable_{setting} = off")
        walk = _walk(wanted, _candidates(wanted, before), limit)
        shown = rows.in_bulk(walk.found)
    events = [shown[pk] for pk in walk.found if pk in shown and wanted.state in (None, shown[pk].state)]
    last = walk.last
    return Page(events, last.id if last and walk.more else None, walk.looked, last.received_at if last else None)


def _walk(wanted: Wanted, candidates: Iterator[Seen], limit: int) -> _Walk:
    walk = _Walk()
    payloads = 0
    while part := list(islice(candidates, min(PART, LOOK - walk.looked))):
        fitting = {seen.id for seen in part if wanted.fits(seen)}
        if wanted.uri:
            payloads += len(fitting)
            fitting = _of_record(fitting, wanted.uri)
        for seen in part:
            if len(walk.found) == limit:
                walk.more = True
                return walk
            walk.looked += 1
            walk.last = seen
            if seen.id in fitting:
                walk.found.append(seen.id)
        if walk.looked == LOOK or payloads >= PAYLOADS:
            walk.more = True
            return walk
    return walk


def _candidates(wanted: Wanted, before: int) -> Iterator[Seen]:
    """The events that the leading index gives, the newest first."""
    low = 0 if wanted.since is None else first_id(wanted.since - LATE) - 1
    high = before if wanted.until is None else min(before, first_id(wanted.until + LATE))
    few = _few(wanted)
    if few is not None:
        ids = sorted((pk for pk in few if low < pk < high), reverse=True)
        for start in range(0, len(ids), CHUNK):
            yield from _read(wanted, ids[start : start + CHUNK])
    elif wanted.state in (State.DEAD, State.DISCARDED) and not wanted.owner:
        letters = DeadLetter.objects.dead() if wanted.state == State.DEAD else DeadLetter.objects.all()
        for rows in _chunks(letters.values_list("pk"), low, high):
            yield from _read(wanted, [pk for (pk,) in rows])
    else:
        key = did_key(wanted.owner) if wanted.owner else None
        for rows in _chunks(_columns(_log(wanted), wanted), low, high, key):
            yield from (Seen(*row) for row in rows)


def _few(wanted: Wanted) -> list[int] | None:
    """The ids of all events in the state, where a table of it leads and has no more of them than a page looks at."""
    rows: Any
    if wanted.state == State.PENDING:
        rows = Pending.objects.order_by("key", "id").values_list("id", flat=True)
        rows = rows.filter(key=did_key(wanted.owner)) if wanted.owner else rows
    elif wanted.state == State.DEAD:
        rows = DeadLetter.objects.dead().order_by("-pk").values_list("pk", flat=True)
        rows = rows.filter(did=wanted.owner).order_by() if wanted.owner else rows
    elif wanted.state == State.DISCARDED:
        rows = DeadLetter.objects.filter(discarded_at__isnull=False).values_list("pk", flat=True)
    else:
        return None
    ids = list(rows[: LOOK + 1])
    return ids if len(ids) <= LOOK else None


def _chunks(rows: Any, low: int, high: int, key: int | None = None) -> Iterator[list[Any]]:
    """Tuples that begin with their ids, with `low` < id < `high` and of `key` if given, the newest first."""
    while True:
        if key is None:
            bounded = rows.filter(pk__gt=low, pk__lt=high).order_by("-pk")
        else:
            # With `key = ...` the planner may walk the primary key instead, however far back the DID's events are.
            between = RawSQL(BETWEEN, [key, low, key, high], BooleanField())  # noqa: S611 - it is constant
            bounded = rows.filter(between).order_by("-key", "-pk")
        chunk = list(bounded[:CHUNK])
        yield chunk
        if len(chunk) < CHUNK:
            return
        high = chunk[-1][0]


def _log(wanted: Wanted) -> QuerySet[Event]:
    return Event.objects.filter(did=wanted.owner) if wanted.owner else Event.objects.all()


def _read(wanted: Wanted, ids: Sequence[int]) -> Iterator[Seen]:
    """These events, in this order."""
    found = {row[0]: Seen(*row) for row in _columns(_log(wanted).filter(pk__in=ids), wanted)}
    return (found[pk] for pk in ids if pk in found)


def _columns(rows: QuerySet[Event], wanted: Wanted) -> Any:
    """The columns of `Seen`. The database only looks for the URI in a payload's text: JSON operators raise on some."""
    state: Any = Value(None, output_field=IntegerField())
    if wanted.state is not None:
        # Each scalar subquery is a probe of a primary key. EXISTS may become a hash of the whole table.
        pending = Pending.objects.filter(key=OuterRef("key"), id=OuterRef("id"))
        letter = DeadLetter.objects.filter(pk=OuterRef("pk"))
        dead = Case(When(discarded_at=None, then=Value(int(State.DEAD))), default=Value(int(State.DISCARDED)))
        state = Coalesce(
            Subquery(pending.values_list(Value(int(State.PENDING)))),
            Subquery(letter.values_list(dead)),
            Value(int(State.DONE)),
        )
    uri_at = StrIndex("payload", Value(wanted.uri)) if wanted.uri else Value(0)
    return rows.values_list("id", "event_type", "received_at", state, uri_at)


class _Coordinates(msgspec.Struct):
    uri: Any = None


def _of_record(ids: Iterable[int], uri: str) -> set[int]:
    """Which of these events have the URI in their payload; one that can't be decoded, and has it in its text, does."""
    texts = Event.objects.filter(pk__in=ids).values_list("pk", Cast("payload", TextField()))
    return {pk for pk, text in texts if _uri(text) in (uri, None)}


def _uri(text: str) -> Any:
    try:
        return msgspec.json.decode(text, type=_Coordinates).uri or ""
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def first_id(moment: datetime) -> int:
    """The first id of the log that was received at `moment` or later, one above the last if there is none.

    Found by halving along the primary key: ids are given in the order of receipt, give or take what is appended
    at the same time.
    """
    newest = Event.objects.filter(id__lt=NEWEST).order_by("-id").values_list("id", flat=True).first()
    low, high = 0, (newest or 0) + 1  # the answer is above low, and not above high
    while low + 1 < high:
        middle = (low + high) // 2
        row = Event.objects.filter(id__gte=middle).order_by("id").values_list("id", "received_at").first()
        if row is None or row[1] >= moment:
            high = middle
        else:
            low = row[0]
    return high
