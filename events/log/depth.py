"""How deep the log is, and where: statements along the partial indexes, whose cost does not depend on how much is done.

On PostgreSQL ready rows are counted above the low watermarks that live workers published: under a held vacuum horizon a
count from the beginning would walk the entries of all rows that were deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from events.log.database import Rows, run
from events.log.fetch import PRIORITIES, above
from events.models import Worker

TIMEOUT = 2_000  # milliseconds for a count
LOOK = 5_000  # rows that are not ready among which failed ones are looked for
BEHIND = 1_000  # pending events of one DID that are counted


@dataclass(slots=True)
class Depth:
    """What the log holds and is not done. No count goes further than the limit it was asked for."""

    pending: int = 0
    waiting: int = 0  # of the pending: for their next attempt, or for an earlier event of their DID
    suspects: int = 0  # of the pending: each is to run alone in its process
    dead: int = 0
    ready: dict[int, int] = field(default_factory=dict)  # by priority: may be applied now
    oldest: dict[int, float] = field(default_factory=dict)  # seconds for which the oldest of them may, by priority


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """One lane that has work; `oldest` is the id of its oldest ready event, None where none is ready."""

    lane: int
    ready: int
    waiting: int
    oldest: int | None = None


@dataclass(frozen=True, slots=True)
class Blocker:
    """An event that failed and waits for its next attempt, by its id; `pending` events of its DID, it included."""

    id: int
    pending: int  # counted up to BEHIND


def depth(limit: int) -> Depth:
    """The depth now."""
    found = Depth()
    for name, priority, value in look("depth", limit=limit, **watermarks()):
        if name in ("ready", "due"):
            found.ready[priority] = min(limit, found.ready.get(priority, 0) + int(value))
        elif name in ("oldest", "overdue"):
            if value is not None and float(value) > 0:
                found.oldest[priority] = max(found.oldest.get(priority, 0.0), float(value))
        elif name == "waiting":
            found.waiting = min(limit, found.waiting + int(value))
        else:
            setattr(found, name, int(value))
    found.pending = min(limit, sum(found.ready.values()) + found.waiting + found.suspects)
    return found


def pending(limit: int) -> int:
    """How many events are pending, counted up to `limit`. Raises OperationalError where that takes too long."""
    [[counted]] = look("pending", limit=limit, **watermarks())
    return int(counted)


def deepest(lanes: int, limit: int) -> list[LaneDepth]:
    """The `lanes` deepest lanes; of all lanes together up to `limit` ready and `limit` waiting events are counted."""
    rows = look("deepest", limit=limit, lanes=lanes, **watermarks())
    return [LaneDepth(lane, int(ready), int(waiting), oldest) for lane, ready, waiting, oldest in rows]


def blockers(limit: int) -> list[Blocker]:
    """Up to `limit` events that block their DIDs; one a DID."""
    rows = look("blockers", look=LOOK, behind=BEHIND, blockers=limit)
    return [Blocker(id_, number) for id_, _, number in rows]


def watermarks() -> dict[str, int]:
    """By priority, the highest low watermark that a live worker published; 0 where none did. A stale one is slower."""
    highest = [0] * len(PRIORITIES)
    if connection.vendor == "postgresql":
        for published in Worker.objects.alive().values_list("low_watermarks", flat=True):
            highest = [max(pair) for pair in zip(highest, published or highest, strict=True)]
    return above(highest)


def look(name: str, **parameters: Any) -> Rows:
    """The rows of a bounded look at the log."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Plan for the indexes: the statistics may be of a time when the log was empty, or deep.
                cursor.execute(
                    "select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),"
                    " set_config('statement_timeout', %s, true)",
                    [str(TIMEOUT)],
                )
        return run(name, **parameters)
