"""What may be applied now: the candidates of a lane, whether there are any."""

from __future__ import annotations

from collections.abc import Iterable

from events.log.sqlite.cursor import clock, instant, run

PRIORITIES = (3, 2, 1, 0)

Candidate = tuple[int, int, int]  # id, key, priority

READY = "p.available_at is null and not p.suspect"

DUE = "p.available_at is not null and not p.suspect and p.available_at <= :now"

READY_OF_LANE = f"""
select p.id, p.key, p.priority from events_pending p indexed by events_ready
where p.lane = :lane and {READY} order by p.priority desc, p.id limit :limit
"""

OLDEST_OF_LANE = f"""
select p.id, p.key, p.priority from events_pending p indexed by events_ready
where p.lane = :lane and {READY} and p.priority = :priority order by p.id limit :limit
"""

DUE_OF_LANE = f"""
select p.id, p.key, p.priority from events_pending p indexed by events_due
where p.lane = :lane and {DUE} and p.priority = :priority order by p.available_at limit :limit
"""

ANY_DUE = f"select exists (select 1 from events_pending p indexed by events_due where {DUE})"

ANY_PENDING = "select exists (select 1 from events_pending)"

ANY_READY = f"""
select exists (select 1 from events_pending p indexed by events_ready where {READY})
    or exists (select 1 from events_pending p indexed by events_due where {DUE})
"""


def candidates(lanes: Iterable[int], limit: int, by_age: bool) -> dict[int, list[Candidate]]:
    """Of each lane that has any, its first ready rows and those that are due."""
    now = instant(clock())
    due = bool(run(ANY_DUE, {"now": now})[0][0])
    found: dict[int, list[Candidate]] = {}
    for lane in lanes:
        parameters = {"lane": lane, "limit": limit, "now": now}
        by_priority = [{**parameters, "priority": priority} for priority in PRIORITIES] if due or by_age else []
        rows: list[Candidate] = [row for each in by_priority for row in run(DUE_OF_LANE, each)] if due else []
        if by_age:
            rows += [row for each in by_priority for row in run(OLDEST_OF_LANE, each)]
        else:
            rows += run(READY_OF_LANE, parameters)
        if rows:
            found[lane] = rows
    return found


def urgent_first(candidate: Candidate) -> tuple[int, int]:
    """The order of a batch's candidates: by priority, then by age."""
    return -candidate[2], candidate[0]


def old_first(candidate: Candidate) -> tuple[int, int]:
    """The order of every tenth batch's candidates: by age alone."""
    return candidate[0], 0


def any_pending() -> bool:
    """Whether anything is left to do, now or later."""
    return bool(run(ANY_PENDING)[0][0])


def any_ready() -> bool:
    """Whether a batch is worth its transaction: an idle worker must not take the file's one write lock to find out."""
    return bool(run(ANY_READY, {"now": instant(clock())})[0][0])
