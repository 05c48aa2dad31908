"""Events that must wait, though nothing is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.postgres.binding import array, cursor

POSTPONE = """
update events_event e set available_at = clock_timestamp() + interval '1 second'
where e.id = any(%s::bigint[]) and e.state = 0
"""

# What follows an event that waits, up to `limit` of its DID: as much as a read may have chosen without reaching it.
HOLD_BACK = """
update events_event e set available_at = greatest(item.until, clock_timestamp() + interval '1 second')
from json_to_recordset(%(document)s::json) as item (did text, after bigint, until timestamptz)
cross join lateral (
    select b.id from events_event b
    where b.did = item.did and b.state = 0 and not b.suspect and b.id + 0 > item.after
        and b.available_at <= greatest(now(), b.received_at)
    order by b.id + 0 limit %(limit)s
) behind
where e.id = behind.id
"""


def postpone(connection: BaseDatabaseWrapper, ids: Iterable[int]) -> None:
    """Let events wait for a second."""
    with cursor(connection) as c:
        c.execute(POSTPONE, (array(ids),))


def hold_back(connection: BaseDatabaseWrapper, document: str, limit: int) -> int:
    """Postpone what is ready of some DIDs, a JSON list of {did, after: id, until}, up to `limit` each; how many."""
    with cursor(connection) as c:
        return c.execute(HOLD_BACK, {"document": document, "limit": limit}).rowcount
