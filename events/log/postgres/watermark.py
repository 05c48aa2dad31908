"""What the low watermarks are made of: see events/worker/watermarks.py for the rule."""

from __future__ import annotations

from collections.abc import Sequence

from events.log.postgres.candidates import READY, URGENT_FIRST, named
from events.log.postgres.cursor import cursor

# Each in a statement of its own, in this order.
LAST_ID = "select case when is_called then last_value else 0 end from events_event_id_seq"

XID = "select pg_current_xact_id()::text::bigint"

HORIZON = """
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint
"""

LOWEST_READY = "\nunion all\n".join(
    f"select {priority}, (select min(head.id) from events_lane l cross join lateral ("
    f"select p.id from events_pending p where p.lane = l.id and {READY} and p.priority = {priority}"
    f" and p.id > %(above{priority})s order by p.id limit 1) head)"
    for priority in URGENT_FIRST
)

# A ready row that lies below its watermark would never be fetched.
STRANDED = "\nunion all\n".join(
    f"(select p.id from events_lane l cross join lateral ("
    f"select p.id from events_pending p where p.lane = l.id and {READY} and p.priority = {priority}"
    f" and p.id <= %(above{priority})s order by p.id limit 1) p limit 1)"
    for priority in URGENT_FIRST
)


def last_id() -> int:
    """The last id that was given out."""
    return _one(LAST_ID)


def xid() -> int:
    """The xid of a transaction of its own, which ends at once."""
    return _one(XID)


def horizon() -> tuple[int, int]:
    """The lowest xid that may still be running, and when the server started: microseconds since 1970."""
    with cursor() as c:
        row = c.execute(HORIZON).fetchone()
    assert row is not None, "it answers one row"
    return int(row[0]), int(row[1])


def lowest_ready(above: Sequence[int]) -> list[int | None]:
    """By priority, the smallest id of a ready row above `above`."""
    with cursor() as c:
        found = dict(c.execute(LOWEST_READY, named(above)).fetchall())
    return [found[priority] for priority in sorted(URGENT_FIRST)]


def stranded(below: Sequence[int]) -> list[int]:
    """Ids of ready rows that lie below the watermarks, one a priority at the most: none may."""
    with cursor() as c:
        return [row[0] for row in c.execute(STRANDED, named(below))]


def _one(statement: str) -> int:
    with cursor() as c:
        row = c.execute(statement).fetchone()
    assert row is not None, "it answers one row"
    return int(row[0])
