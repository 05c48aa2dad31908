"""How deep the log is: one statement along its partial indexes, whose cost does not depend on how much is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

READY = "e.state = 0 and not e.suspect and e.available_at <= e.received_at"
WAITING = "e.state = 0 and not e.suspect and e.available_at > e.received_at"
SUSPECTS = "e.state = 0 and e.suspect"

# Ready, waiting and suspects together are all that is pending: nothing is walked over twice to count them.
# The same on both databases, but for the age of an event in seconds and for naming an index, which only SQLite can.
DEPTH = """
select 'ready', priority, count(*) from (
    select priority from events_event e {by_ready} where {ready} limit %(limit)s) counted group by priority
union all
select 'oldest', p.priority, max((
    select {age} from events_event e {by_ready}
    where e.lane = l.id and {ready} and e.priority = p.priority order by e.id + 0 limit 1))
from events_lane l
cross join (select 0 as priority union all select 1 union all select 2 union all select 3) p
group by p.priority
union all
select 'waiting', 0, count(*) from (
    select 1 from events_event e {by_deferred} where {waiting} limit %(limit)s) counted
union all
select 'suspects', 0, count(*) from (
    select 1 from events_event e {by_suspects} where {suspects} limit %(limit)s) counted
union all
select 'dead', 0, count(*) from (select 1 from events_event e {by_dead} where e.state = 2 limit %(limit)s) counted
"""
POSTGRESQL = DEPTH.format(
    ready=READY,
    waiting=WAITING,
    suspects=SUSPECTS,
    age="extract(epoch from clock_timestamp() - e.received_at)",
    **dict.fromkeys(("by_ready", "by_deferred", "by_suspects", "by_dead"), ""),
)
SQLITE = DEPTH.format(
    ready=READY,
    waiting=WAITING,
    suspects=SUSPECTS,
    age="(julianday('now') - julianday(e.received_at)) * 86400",
    **{f"by_{name}": f"indexed by events_{name}" for name in ("ready", "deferred", "suspects", "dead")},
)


@dataclass(slots=True)
class Depth:
    """What the log holds and is not done. No count goes further than the limit it was asked for."""

    pending: int = 0
    waiting: int = 0  # of the pending: for their next try, or for an earlier event of their DID
    suspects: int = 0  # of the pending: each is to run alone in its process
    dead: int = 0
    ready: dict[int, int] = field(default_factory=dict)  # by priority
    oldest: dict[int, float] = field(default_factory=dict)  # seconds since the receipt of the oldest ready, by priority


def depth(connection: BaseDatabaseWrapper, limit: int) -> Depth:
    """The depth now."""
    found = Depth()
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Whatever the statistics of the moment say of a log that was empty, or deep, when they were taken.
            cursor.execute("select set_config('enable_seqscan', 'off', true)")
        cursor.execute(POSTGRESQL if connection.vendor == "postgresql" else SQLITE, {"limit": limit})
        for name, priority, value in cursor.fetchall():
            if name == "ready":
                found.ready[priority] = int(value)
            elif name == "oldest":
                if value is not None:
                    found.oldest[priority] = max(0.0, float(value))
            else:
                setattr(found, name, int(value))
    found.pending = min(limit, sum(found.ready.values()) + found.waiting + found.suspects)
    return found
