"""Dead letters by reason: one probe of an index for each reason, and a bounded count along it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from events.log.depth import look

MOST = 50  # reasons that are told; more of them is a reason to read the list
COUNTED = 20_000  # letters of a reason that are counted; 200,000 in ten reasons take 60 ms


@dataclass(frozen=True, slots=True)
class Group:
    """The dead letters of one reason. `count` stops at COUNTED + 1; `newest` is the id of the last that died."""

    reason: str
    count: int
    first: datetime | None
    last: datetime | None
    newest: int

    @property
    def counted(self) -> bool:
        """Whether `count` is all of them."""
        return self.count <= COUNTED


def groups() -> list[Group]:
    """The reasons of all dead letters, the most frequent first, MOST at the most."""
    rows = look("reasons", most=MOST, counted=COUNTED + 1)
    found = [Group(reason, count, _moment(first), _moment(last), newest) for reason, count, first, last, newest in rows]
    return sorted(found, key=lambda group: (-group.count, group.reason))


def types() -> list[str]:
    """The event types that have dead letters, MOST at the most."""
    return [event_type for (event_type,) in look("types", most=MOST)]


def _moment(stored: datetime | str | None) -> datetime | None:
    if isinstance(stored, str):  # SQLite has no times of its own
        stored = datetime.fromisoformat(stored).replace(tzinfo=UTC)
    return stored
