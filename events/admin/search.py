"""Finding events in a log that nobody may count or scan.

Whatever is asked for, one index leads: that of the event_id, of the DID, of the state, or the primary key, from which
a time is also found, since ids are given in the order of receipt. What else was asked for is compared on the way. A
page ends when it is full, or after LOOK events: then it says how far it looked, and a link goes on from there. So
every page costs about the same, whatever is in the log.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, transaction
from django.db.models import BigIntegerField, F, Func, QuerySet
from django.db.models.fields.json import KT

from events.models import Event
from events.syntax import parse_record_uri

PAGE = 50  # events
LOOK = 10_000  # events that a page looks at
CHUNK = 500  # events read at once
LATE = timedelta(minutes=1)  # how much later than its neighbours an event may have been given its id
NEWEST = 2**63 - 1  # above every id

Seen = tuple[int, str, int, datetime, str | None]  # id, type, state, receipt, URI


class Position(Func):
    """`id + 0` in so many words: SQLite knows its indexes' expression again by them, and not with a parameter in it."""

    template = "(%(expressions)s + 0)"
    output_field = BigIntegerField()


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
        """Whether an event is what is looked for, as far as no index has said so."""
        _, event_type, state, received_at, uri = seen
        return (
            (not self.event_type or event_type == self.event_type)
            and (self.state is None or state == self.state)
            and (self.since is None or received_at >= self.since)
            and (self.until is None or received_at < self.until)
            and (not self.uri or uri == self.uri)
        )


class Page(NamedTuple):
    """Some events, the newest first."""

    events: list[Event]
    before: int | None  # where the next page begins; None where nothing is left
    looked: int  # events that were looked at
    ended_at: datetime | None  # the receipt of the last of them


@dataclass(slots=True)
class _Walk:
    found: list[int] = field(default_factory=list)
    looked: int = 0
    last: Seen | None = None
    more: bool = False


def find(wanted: Wanted, *, before: int = NEWEST, limit: int = PAGE, using: str = "default") -> Page:
    """The newest events below the id `before` that fit, `limit` of them at the most."""
    with transaction.atomic(using=using):
        connection = connections[using]
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Rows are wanted in the order of an index and few of them. The planner has no statistics of `id + 0`,
                # and would fetch all that a busy DID ever sent, to sort it: 350 ms where 1 is enough.
                cursor.execute(
                    "select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)"
                )
        rows = Event.objects.using(using)
        if wanted.event_id is not None:
            one = list(rows.filter(event_id=wanted.event_id).defer("payload", "raw"))
            return Page(one, None, len(one), None)
        walk = _walk(wanted, _candidates(wanted, before, using), limit)
        found = rows.defer("payload", "raw").in_bulk(walk.found)
    events = [found[pk] for pk in walk.found if pk in found]
    last = walk.last
    return Page(events, last[0] if last and walk.more else None, walk.looked, last[3] if last else None)


def _walk(wanted: Wanted, candidates: Iterator[Seen], limit: int) -> _Walk:
    walk = _Walk()
    for seen in islice(candidates, LOOK):
        if len(walk.found) == limit:
            walk.more = True
            return walk
        walk.looked += 1
        walk.last = seen
        if wanted.fits(seen):
            walk.found.append(seen[0])
    walk.more = walk.looked == LOOK
    return walk


def _candidates(wanted: Wanted, before: int, using: str) -> Iterator[Seen]:
    """The events that the leading index gives, the newest first."""
    low = 0 if wanted.since is None else first_id(wanted.since - LATE, using=using) - 1
    high = before if wanted.until is None else min(before, first_id(wanted.until + LATE, using=using))
    rows: Any = Event.objects.using(using)
    if wanted.owner:
        # Both indexes hold `id + 0`, an expression that only they have: see docs/decisions.
        streams = [rows.filter(did=wanted.owner, state=0), rows.filter(did=wanted.owner, state__gt=0)]
        return _merged(
            [_stream(each.alias(position=Position("id")), "position", low, high, wanted) for each in streams]
        )
    if wanted.state == Event.State.PENDING:
        few = _few_pending(rows)
        if few is not None:
            rows = rows.filter(pk__in=few)
    elif wanted.state in (Event.State.DEAD, Event.State.DISCARDED):
        rows = rows.filter(state=wanted.state)
    return _stream(rows, "id", low, high, wanted)


def _few_pending(rows: QuerySet[Event]) -> list[int] | None:
    """The ids of all pending events, None where they are too many: then the newest of the log are mostly pending."""
    order = rows.filter(state=0).order_by("did", Position("id"))
    ids = list(order.values_list("id", flat=True)[: LOOK + 1])
    return ids if len(ids) <= LOOK else None


def _stream(rows: QuerySet[Event], position: str, low: int, high: int, wanted: Wanted) -> Iterator[Seen]:
    """Events with `low` < id < `high`, the newest first, a chunk at a time."""
    columns: list[Any] = ["id", "event_type", "state", "received_at"]
    columns.append(KT("payload__uri") if wanted.uri else F("request_id"))
    while True:
        bounded = rows.filter(**{f"{position}__gt": low, f"{position}__lt": high}).order_by(F(position).desc())
        chunk = list(bounded.values_list(*columns)[:CHUNK])
        yield from chunk
        if len(chunk) < CHUNK:
            return
        high = chunk[-1][0]


def _merged(streams: Sequence[Iterator[Seen]]) -> Iterator[Seen]:
    return heapq.merge(*streams, key=lambda seen: seen[0], reverse=True)


def first_id(moment: datetime, *, using: str = "default") -> int:
    """The first id of the log that was received at `moment` or later, one above the last if there is none.

    Found by halving along the primary key: ids are given in the order of receipt, give or take what is appended
    at the same time.
    """
    rows = Event.objects.using(using)
    newest = rows.filter(id__lt=NEWEST).order_by("-id").values_list("id", flat=True).first()
    low, high = 0, (newest or 0) + 1  # the answer is above low, and not above high
    while low + 1 < high:
        middle = (low + high) // 2
        row = rows.filter(id__gte=middle).order_by("id").values_list("id", "received_at").first()
        if row is None or row[1] >= moment:
            high = middle
        else:
            low = row[0]
    return high
