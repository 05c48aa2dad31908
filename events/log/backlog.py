"""Where the log is deep, and who holds up whom: along the partial indexes, and never further than a limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.depth import READY, WAITING

# The same on both databases, but for naming an index, which only SQLite can.
DEEPEST = """
select lane, sum(ready), sum(waiting) from (
    select lane, count(*) as ready, 0 as waiting from (
        select lane from events_event e {by_ready} where {ready} limit %(limit)s) r group by lane
    union all
    select lane, 0, count(*) from (
        select lane from events_event e {by_deferred} where {waiting} limit %(limit)s) w group by lane
) counted group by lane order by sum(ready) + sum(waiting) desc, lane limit %(lanes)s
"""
OLDEST = """
select p.priority, (
    select e.id from events_event e {by_ready}
    where e.lane = %(lane)s and {ready} and e.priority = p.priority order by e.id + 0 limit 1)
from (select 0 as priority union all select 1 union all select 2 union all select 3) p
"""
# An event that failed waits for its next try; what waits and never failed stands behind one that did.
FAILED = """
select w.id, w.did from (
    select e.id, e.did, e.attempts from events_event e {by_deferred} where {waiting} limit %(look)s) w
where w.attempts > 0 order by w.id limit %(failed)s
"""
PENDING = """
select count(*) from (
    select 1 from events_event e {by_unfinished} where e.did = %(did)s and e.state = 0 limit %(limit)s) counted
"""
INDEXES = ("ready", "deferred", "unfinished")
POSTGRESQL = {f"by_{name}": "" for name in INDEXES}
SQLITE = {f"by_{name}": f"indexed by events_{name}" for name in INDEXES}

LOOK = 5_000  # waiting events among which failed ones are looked for
BEHIND = 1_000  # pending events of one DID that are counted


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """One lane that has work; `oldest` is the id of its oldest ready event, None where none is ready."""

    lane: int
    ready: int
    waiting: int
    oldest: int | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """An event that failed and waits for its next try, by its id; `pending` events of its DID, it included."""

    id: int
    pending: int  # counted up to BEHIND


def deepest(connection: BaseDatabaseWrapper, lanes: int, limit: int) -> list[LaneDepth]:
    """The `lanes` deepest lanes; of all lanes together up to `limit` ready and `limit` waiting events are counted."""
    found = [LaneDepth(*map(int, row)) for row in _rows(connection, DEEPEST, limit=limit, lanes=lanes)]
    return [replace(each, oldest=_oldest(connection, each.lane)) for each in found]


def holding(connection: BaseDatabaseWrapper, failed: int) -> list[Holding]:
    """Up to `failed` events that hold up their DIDs; one a DID."""
    firsts: dict[str, int] = {}
    for event, did in _rows(connection, FAILED, look=LOOK, failed=failed):
        firsts.setdefault(did, event)
    return [
        Holding(event, int(next(iter(_rows(connection, PENDING, did=did, limit=BEHIND)))[0]))
        for did, event in firsts.items()
    ]


def _oldest(connection: BaseDatabaseWrapper, lane: int) -> int | None:
    return min((event for _, event in _rows(connection, OLDEST, lane=lane) if event is not None), default=None)


def _rows(connection: BaseDatabaseWrapper, statement: str, **parameters: int | str) -> Iterable[tuple]:
    postgresql = connection.vendor == "postgresql"
    indexes = POSTGRESQL if postgresql else SQLITE
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if postgresql:
            # Whatever the statistics of the moment say of a log that was empty, or deep, when they were taken.
            cursor.execute("select set_config('enable_seqscan', 'off', true)")
        cursor.execute(statement.format(ready=READY, waiting=WAITING, **indexes), parameters)
        return cursor.fetchall()
