"""How deep the log is: statements along the partial indexes, whose cost does not depend on how much is done.

On PostgreSQL ready rows are counted above the low watermarks that live workers published: under a held vacuum horizon a
count from the beginning would walk the entries of all rows that were deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from events.models import Worker

TIMEOUT = 2_000  # milliseconds for a count
PRIORITIES = (0, 1, 2, 3)

READY = "p.available_at is null and not p.suspect"
NOT_READY = "p.available_at is not null and not p.suspect"


def _of_each_priority(template: str) -> str:
    return "\nunion all\n".join(template.format(priority=priority) for priority in PRIORITIES)


# For each priority the ready rows above its watermark, lane by lane along the index.
POSTGRESQL_READY = _of_each_priority(
    "select {priority} as priority, p.id from events_lane l cross join lateral ("
    f"select p.id from events_pending p where p.lane = l.id and {READY}"
    " and p.priority = {priority} and p.id > %(above{priority})s order by p.id) p"
)
POSTGRESQL_PENDING = f"""
select count(*) from (
    select 1 from ({POSTGRESQL_READY}) ready
    union all
    select 1 from events_pending p where {NOT_READY}
    union all
    select 1 from events_pending p where p.suspect
    limit %(limit)s
) counted
"""
POSTGRESQL_DEPTH = f"""
with ready as materialized ({POSTGRESQL_READY} limit %(limit)s)
select 'ready', priority, count(*) from ready group by priority
union all
select 'oldest', first.priority, extract(epoch from clock_timestamp() - e.received_at)
from (select priority, min(id) as id from ready group by priority) first join events_event e on e.id = first.id
union all
select case when p.available_at <= clock_timestamp() then 'due' else 'waiting' end, p.priority, count(*)
from (select * from events_pending p where {NOT_READY} limit %(limit)s) p group by 1, 2
union all
select 'overdue', p.priority, extract(epoch from clock_timestamp() - min(p.available_at))
from (select * from events_pending p where {NOT_READY} limit %(limit)s) p group by p.priority
union all
select 'suspects', 0, count(*) from (select 1 from events_pending p where p.suspect limit %(limit)s) counted
union all
select 'dead', 0, count(*) from (
    select 1 from events_dead_letter where discarded_at is null limit %(limit)s) counted
"""

SQLITE_PENDING = f"""
select count(*) from (
    select 1 from events_pending p indexed by events_ready where {READY}
    union all
    select 1 from events_pending p indexed by events_due where {NOT_READY}
    union all
    select 1 from events_pending p indexed by events_suspects where p.suspect
    limit %(limit)s
) counted
"""
SQLITE_DEPTH = f"""
with ready as materialized (
    select p.priority, p.id from events_pending p indexed by events_ready where {READY} limit %(limit)s)
select 'ready', priority, count(*) from ready group by priority
union all
select 'oldest', first.priority, (julianday('now') - julianday(e.received_at)) * 86400
from (select priority, min(id) as id from ready group by priority) first cross join events_event e on e.id = first.id
union all
select case when p.available_at <= strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now') then 'due' else 'waiting' end,
    p.priority, count(*)
from (select * from events_pending p indexed by events_due where {NOT_READY} limit %(limit)s) p group by 1, 2
union all
select 'overdue', p.priority, (julianday('now') - julianday(min(p.available_at))) * 86400
from (select * from events_pending p indexed by events_due where {NOT_READY} limit %(limit)s) p group by p.priority
union all
select 'suspects', 0, count(*) from (
    select 1 from events_pending p indexed by events_suspects where p.suspect limit %(limit)s) counted
union all
select 'dead', 0, count(*) from (
    select 1 from events_dead_letter indexed by events_dead where discarded_at is null limit %(limit)s) counted
"""


@dataclass(slots=True)
class Depth:
    """What the log holds and is not done. No count goes further than the limit it was asked for."""

    pending: int = 0
    waiting: int = 0  # of the pending: for their next attempt, or for an earlier event of their DID
    suspects: int = 0  # of the pending: each is to run alone in its process
    dead: int = 0
    ready: dict[int, int] = field(default_factory=dict)  # by priority: may be applied now
    oldest: dict[int, float] = field(default_factory=dict)  # seconds for which the oldest of them may, by priority


def depth(limit: int) -> Depth:
    """The depth now."""
    found = Depth()
    for name, priority, value in run(POSTGRESQL_DEPTH, SQLITE_DEPTH, {"limit": limit, **watermarks()}):
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
    [[counted]] = run(POSTGRESQL_PENDING, SQLITE_PENDING, {"limit": limit, **watermarks()})
    return int(counted)


def watermarks() -> dict[str, int]:
    """By priority, the highest low watermark that a live worker published; 0 where none did. A stale one is slower."""
    highest = [0] * len(PRIORITIES)
    if connection.vendor == "postgresql":
        for published in Worker.objects.alive().values_list("low_watermarks", flat=True):
            highest = [max(pair) for pair in zip(highest, published or highest, strict=True)]
    return {f"above{priority}": highest[priority] for priority in PRIORITIES}


def run(postgresql: str, sqlite: str, parameters: dict[str, Any]) -> Iterable[Sequence[Any]]:
    """The rows of a bounded look at the log."""
    on_postgresql = connection.vendor == "postgresql"
    with transaction.atomic(), connection.cursor() as cursor:
        if on_postgresql:
            # Whatever the statistics of the moment say of a log that was empty, or deep, when they were taken.
            cursor.execute(
                "select set_config('enable_seqscan', 'off', true), set_config('statement_timeout', %s, true)",
                [str(TIMEOUT)],
            )
        cursor.execute(postgresql if on_postgresql else sqlite, parameters)
        return cursor.fetchall()
