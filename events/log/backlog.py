"""Where the log is deep, and which events block their DIDs: along the partial indexes, and never beyond a limit."""

from __future__ import annotations

from dataclasses import dataclass

from events.log.depth import NOT_READY, POSTGRESQL_READY, READY, run, watermarks

POSTGRESQL_DEEPEST = f"""
select lane, sum(ready), sum(waiting), min(oldest) from (
    select p.lane, count(*) as ready, 0 as waiting, min(p.id) as oldest
    from ({POSTGRESQL_READY.replace("as priority, p.id", "as priority, l.id as lane, p.id")} limit %(limit)s) p
    group by p.lane
    union all
    select lane, 0, count(*), null from (
        select p.lane from events_pending p where {NOT_READY} limit %(limit)s) w group by lane
) counted group by lane order by sum(ready) + sum(waiting) desc, lane limit %(lanes)s
"""
SQLITE_DEEPEST = f"""
select lane, sum(ready), sum(waiting), min(oldest) from (
    select lane, count(*) as ready, 0 as waiting, min(id) as oldest from (
        select p.lane, p.id from events_pending p indexed by events_ready where {READY} limit %(limit)s) r group by lane
    union all
    select lane, 0, count(*), null from (
        select p.lane from events_pending p indexed by events_due where {NOT_READY} limit %(limit)s) w group by lane
) counted group by lane order by sum(ready) + sum(waiting) desc, lane limit %(lanes)s
"""
# An event that failed waits for its next attempt; what waits and never failed stands behind one that did.
BLOCKERS = """
select min(w.id), w.key, (
    select count(*) from (select 1 from events_pending b where b.key = w.key limit %(behind)s) counted)
from (
    select p.id, p.key, p.attempts from events_pending p {by_blocked}
    where p.available_at is not null or p.suspect limit %(look)s) w
where w.attempts > 0 group by w.key order by min(w.id) limit %(blockers)s
"""
POSTGRESQL_BLOCKERS = BLOCKERS.format(by_blocked="")
SQLITE_BLOCKERS = BLOCKERS.format(by_blocked="indexed by events_blocked")

LOOK = 5_000  # rows that are not ready among which failed ones are looked for
BEHIND = 1_000  # pending events of one DID that are counted


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


def deepest(lanes: int, limit: int) -> list[LaneDepth]:
    """The `lanes` deepest lanes; of all lanes together up to `limit` ready and `limit` waiting events are counted."""
    rows = run(POSTGRESQL_DEEPEST, SQLITE_DEEPEST, {"limit": limit, "lanes": lanes, **watermarks()})
    return [LaneDepth(lane, int(ready), int(waiting), oldest) for lane, ready, waiting, oldest in rows]


def blockers(limit: int) -> list[Blocker]:
    """Up to `limit` events that block their DIDs; one a DID."""
    rows = run(POSTGRESQL_BLOCKERS, SQLITE_BLOCKERS, {"look": LOOK, "behind": BEHIND, "blockers": limit})
    return [Blocker(id_, pending) for id_, _, pending in rows]
