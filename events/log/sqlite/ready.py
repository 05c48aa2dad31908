"""What may be applied now: the candidates of a lane, whether there are any."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.sqlite.binding import clock, instant, run

PRIORITIES = (3, 2, 1, 0)

READY = "e.state = 0 and not e.suspect and e.available_at <= e.received_at"

DUE = "e.state = 0 and not e.suspect and e.available_at > e.received_at and e.available_at <= :now"

READY_OF_LANE = f"""
select e.id, e.did, e.priority from events_event e indexed by events_ready
where e.lane = :lane and {READY} order by e.priority desc, e.id + 0 limit :limit
"""

OLDEST_OF_LANE = f"""
select e.id, e.did, e.priority from events_event e indexed by events_ready
where e.lane = :lane and {READY} and e.priority = :priority order by e.id + 0 limit :limit
"""

DUE_OF_LANE = f"""
select e.id, e.did, e.priority from events_event e indexed by events_deferred
where e.lane = :lane and {DUE} order by e.available_at limit :limit
"""


def candidates_of(connection: BaseDatabaseWrapper, lane: int, limit: int, by_age: bool) -> list[tuple[int, str, int]]:
    """(id, did, priority) of the lane's first ready events, and of those that are due again."""
    parameters = {"lane": lane, "limit": limit, "now": instant(clock())}
    found: list[tuple[int, str, int]] = run(connection, DUE_OF_LANE, parameters)
    if not by_age:
        return found + run(connection, READY_OF_LANE, parameters)
    for priority in PRIORITIES:
        found += run(connection, OLDEST_OF_LANE, {**parameters, "priority": priority})
    return found


def urgent_first(candidate: tuple[int, str, int]) -> tuple[int, int]:
    """The order of a step's candidates: by priority, then by age."""
    return -candidate[2], candidate[0]


def old_first(candidate: tuple[int, str, int]) -> tuple[int, int]:
    """The order of every tenth step's candidates: by age alone."""
    return candidate[0], 0


ANY_PENDING = "select exists (select 1 from events_event indexed by events_unfinished where state = 0)"

ANY_READY = f"""
select exists (select 1 from events_event e indexed by events_ready where {READY})
    or exists (select 1 from events_event e indexed by events_deferred where {DUE})
"""


def floors(connection: BaseDatabaseWrapper, above: Sequence[int]) -> list[int]:
    """No floors: SQLite keeps no entry of a row's former state in its indexes."""
    return [0, 0, 0, 0]


def any_pending(connection: BaseDatabaseWrapper) -> bool:
    """Whether anything is left to do, now or later."""
    return bool(run(connection, ANY_PENDING, ())[0][0])


def any_ready(connection: BaseDatabaseWrapper) -> bool:
    """Whether a step is worth its transaction: an idle worker must not take the file's one write lock to find out."""
    return bool(run(connection, ANY_READY, {"now": instant(clock())})[0][0])
