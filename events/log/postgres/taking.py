"""A step takes its batch: it fences its transaction off, locks lanes, and reads what is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.entry import Entry
from events.log.postgres.binding import array, cursor
from events.log.postgres.ready import OLDEST, URGENT, named, oldest_of_lane, ready_and_due

# The server ends a step whose process was stopped or whose host is gone. A wait for somebody's lock (a migration's,
# say) ends sooner than the step, so that it is told apart from a statement that takes too long by itself.
# LOCK and READ are planned for the indexes made for them, whatever the statistics of the moment say (of a log that was
# empty when it was last analyzed, for one). READ gives the planner its freedom back before processors run.
FENCE = """
select set_config('statement_timeout', %(whole)s, true), set_config('lock_timeout', %(lock)s, true),
    set_config('idle_in_transaction_session_timeout', %(whole)s, true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
"""

FENCE_17 = FENCE.rstrip() + ", set_config('transaction_timeout', %(transaction)s, true)\n"

LOCK = {
    by_age: f"""
select l.id
from events_lane l
cross join lateral (
    select id, priority from ({candidates("l.id", "1")}) head order by {order} limit 1
) head
order by head.{order.replace(", ", ", head.")}
limit %(share)s
for update of l skip locked
"""
    for by_age, candidates, order in ((False, ready_and_due, URGENT), (True, oldest_of_lane, OLDEST))
}

LOCK_THESE = "select id from events_lane where id = any(%s::smallint[]) order by id for update skip locked"

COLUMNS = """e.id, e.event_id, e.event_type, e.did, e.priority, e.payload::text, e.version, e.rev,
    (extract(epoch from e.occurred_at) * 1000000)::bigint, (extract(epoch from e.received_at) * 1000000)::bigint,
    e.attempts, e.suspect, case when e.available_at > greatest(now(), e.received_at) then e.available_at end"""

# A prefix that was cut may lack the urgent event that its DID was chosen for.
INHERITED = """greatest(max(item.priority) over (partition by item.did order by item.id desc),
        case when count(*) over (partition by item.did) >= %(limit)s then top.priority else 0 end)"""

# Per DID, a batch holds every unfinished event up to the last that was chosen: an urgent event pulls the earlier
# ones of its DID forward. `urgency` is the highest priority of an event or of any later one of its DID, so cutting
# by it leaves each DID a prefix. Events that wait come along too: what follows them in their DID must not run.
READ = {
    by_age: f"""
with head as materialized (
    select item.id, item.did, item.priority
    from unnest(%(lanes)s::smallint[]) as held (lane)
    cross join lateral ({candidates("held.lane", "%(limit)s")}) item
    order by {order}
    limit %(limit)s
), top as (
    select did, max(id) as id, max(priority) as priority from head group by did
), prefix as materialized (
    select item.ctid, item.id, {urgency} as urgency
    from top
    cross join lateral (
        select e.ctid, e.id, e.did, e.priority from events_event e
        where e.did = top.did and e.state = 0 and e.id + 0 <= top.id
        order by e.id + 0 limit %(limit)s
    ) item
), chosen as (
    select ctid from prefix order by urgency desc, id limit %(limit)s
), restore as materialized (
    select set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),
        set_config('enable_bitmapscan', 'on', true)
)
select {COLUMNS}
from restore, events_event e where e.ctid = any(array(select ctid from chosen))
"""
    for by_age, candidates, order, urgency in (
        (False, ready_and_due, URGENT, INHERITED),
        (True, oldest_of_lane, OLDEST, "0"),
    )
}


def fence(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Let the server end the present transaction if a statement, or a silence, lasts `seconds`."""
    milliseconds = max(1, int(seconds * 1000))
    limits = {"whole": str(milliseconds), "lock": str(max(1, milliseconds // 3)), "transaction": str(milliseconds * 2)}
    with cursor(connection) as c:
        c.execute(FENCE_17 if connection.pg_version >= 170000 else FENCE, limits)  # type: ignore[attr-defined]


def lock_lanes(connection: BaseDatabaseWrapper, share: int, floors: Sequence[int], *, by_age: bool) -> list[int]:
    """Lock up to `share` lanes that have work and that nobody holds: the most urgent, or those with the oldest."""
    with cursor(connection) as c:
        return [row[0] for row in c.execute(LOCK[by_age], {"share": share, **named(floors)})]


def lock_these(connection: BaseDatabaseWrapper, lanes: Sequence[int]) -> list[int]:
    """Lock those of `lanes` that nobody holds."""
    with cursor(connection) as c:
        return [row[0] for row in c.execute(LOCK_THESE, (array(lanes),))]


def read(
    connection: BaseDatabaseWrapper, lanes: Sequence[int], limit: int, floors: Sequence[int], *, by_age: bool
) -> list[tuple[Any, ...]]:
    """The next batch of the held lanes: rows as Entry takes them, then until when the event waits, or None."""
    parameters = {"lanes": array(lanes), "limit": limit, **named(floors)}
    with cursor(connection) as c:
        return c.execute(READ[by_age], parameters).fetchall()


def entry(row: tuple[Any, ...]) -> Entry:
    """The entry of a row that `read` gave."""
    return Entry(*row[:12])
