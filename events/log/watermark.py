"""What the low watermarks are made of, on PostgreSQL: see events/worker/watermarks.py for the rule."""

from __future__ import annotations

from collections.abc import Sequence

from events.log.database import run
from events.log.fetch import above


def last_id() -> int:
    """The last id that was given out."""
    return int(run("last_id")[0][0])


def xid() -> int:
    """The xid of a transaction of its own, which ends at once."""
    return int(run("xid")[0][0])


def horizon() -> tuple[int, int]:
    """The lowest xid that may still be running, and when the server started: microseconds since 1970."""
    [(xmin, started)] = run("horizon")
    return xmin, started


def lowest_ready(watermarks: Sequence[int]) -> list[int | None]:
    """By priority, the smallest id of a ready row above its watermark."""
    return [lowest for _, lowest in sorted(run("lowest_ready", **above(watermarks)))]


def stranded(watermarks: Sequence[int]) -> list[int]:
    """Ids of ready rows that lie below the watermarks, one a priority at the most: none may."""
    return [id_ for (id_,) in run("stranded", **above(watermarks))]
