"""Move events between pending and dead letters."""

from __future__ import annotations

from collections.abc import Sequence

from events.log.postgres.cursor import array, cursor

# The time is set: the id may lie below the low watermarks, above which ready rows are looked for.
REQUEUE = """
with gone as (
    delete from events_dead_letter where id = any(%s::bigint[]) and discarded_at is null returning id
)
insert into events_pending (key, id, lane, priority, available_at)
select e.key, e.id, mod(mod(e.key, lanes.n) + lanes.n, lanes.n), e.priority, clock_timestamp()
from gone join events_event e on e.id = gone.id, (select max(id) + 1 as n from events_lane) lanes
"""

DISCARD = """
update events_dead_letter set discarded_at = clock_timestamp(), note = %(note)s
where id = any(%(ids)s::bigint[]) and discarded_at is null
"""

# Pending events become dead letters for one reason, or are discarded at once.
BURY = """
with gone as (
    delete from events_pending p using events_event e
    where e.id = any(%(ids)s::bigint[]) and p.key = e.key and p.id = e.id
    returning e.id, e.event_type, e.did, p.attempts
)
insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, discarded_at, note)
select id, event_type, did, %(reason)s, %(error)s, attempts, clock_timestamp(),
    case when %(discarded)s then clock_timestamp() end, %(note)s
from gone
"""


def requeue(ids: Sequence[int]) -> int:
    """Make dead events pending again, with all their attempts before them; the number that were still dead."""
    with cursor() as c:
        return c.execute(REQUEUE, (array(ids),)).rowcount


def discard(ids: Sequence[int], note: str) -> int:
    """Discard dead events; the number that were still dead."""
    with cursor() as c:
        return c.execute(DISCARD, {"ids": array(ids), "note": note}).rowcount


def bury(ids: Sequence[int], *, error: str = "", reason: str = "", discarded: bool = False, note: str = "") -> int:
    """Make dead letters of pending events; the number that were still pending."""
    parameters = {"ids": array(ids), "error": error, "reason": reason, "discarded": discarded, "note": note}
    with cursor() as c:
        return c.execute(BURY, parameters).rowcount
