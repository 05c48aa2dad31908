"""The life of one DID: its events, and what other apps add.

An app that makes tables of events registers a section in its own `admin` module:

    @section("profiles", "Profiles")
    def profiles(did: str, after: str) -> Rows: ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone

from events.admin.links import event_link
from events.admin.search import NEWEST, Wanted, find
from events.models import Event
from events.visible import last_line

ROWS = 20  # of a section, at the most


class Rows(NamedTuple):
    """A page of a section's table. `after` leads to its next page, and is empty where there is none."""

    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    after: str = ""


class Section(NamedTuple):
    """One table of the page, as it is shown."""

    slug: str
    title: str
    table: Rows
    further: str  # the address of its next page
    first: str  # of its first page, where this is not it

    def cells(self) -> list[list[tuple[str, Any]]]:
        """The rows, each value with the name of its column: a narrow screen shows them below each other."""
        return [list(zip(self.table.head, row, strict=True)) for row in self.table.rows]


Read = Callable[[str, str], Rows]  # DID, and `after` of the page before

_sections: dict[str, tuple[str, Read]] = {}


def section(slug: str, title: str) -> Callable[[Read], Read]:
    """Register a section: a function that reads a bounded page of what it knows of a DID, along an index."""

    def register(read: Read) -> Read:
        _sections[slug] = (title, read)
        return read

    return register


def life(request: HttpRequest, did: str) -> list[Section]:
    """All sections of the page, each at the place that the address says."""
    return [_section(request, did, slug, title, read) for slug, (title, read) in _sections.items()]


@section("events", "Events")
def events_of(did: str, after: str) -> Rows:
    """The DID's events, the newest first, with what became of each."""
    before = int(after) if after.isdecimal() and len(after) < 20 else NEWEST
    page = find(Wanted(did=did), before=min(before, NEWEST), limit=ROWS)
    head = ("Received (UTC)", "Event", "State", "Tries", "Ended (UTC)", "Outcome")
    return Rows(head, [_event_row(event) for event in page.events], str(page.before or ""))


def outcome(event: Any) -> str:
    """What became of an event with its state, in one line."""
    reason = last_line(event.error)
    if event.state != Event.State.PENDING:
        return last_line(event.note) or reason
    if event.available_at is None:
        return ""
    if event.attempts:
        return f"tried again from {event.available_at:%H:%M:%S} on: {reason}"
    return "waits behind an earlier event of this DID" if event.available_at > timezone.now() else ""


def _event_row(event: Any) -> tuple[Any, ...]:
    return (
        f"{event.received_at:%Y-%m-%d %H:%M:%S}",
        event_link(event),
        Event.State(event.state).label,
        event.attempts,
        f"{event.finished_at:%Y-%m-%d %H:%M:%S}" if event.finished_at else "-",
        outcome(event),
    )


def _section(request: HttpRequest, did: str, slug: str, title: str, read: Read) -> Section:
    others = {name: value for name, value in request.GET.items() if name in _sections and name != slug}
    after = request.GET.get(slug, "")
    table = read(did, after)
    first = f"?{urlencode({'did': did, **others})}#{slug}"
    further = f"?{urlencode({'did': did, **others, slug: table.after})}#{slug}"
    return Section(slug, title, table, further if table.after else "", first if after else "")
