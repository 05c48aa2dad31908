"""Snooze events that are blocked by an earlier event of their DID."""

from __future__ import annotations

from events.log.postgres.cursor import cursor

# What follows a row that waits takes over its time, up to `limit` rows of its key: as many as a fetch may have chosen
# without reaching it. What follows a suspect, which may be due, is looked at again in a second.
SNOOZE = """
update events_pending p
set available_at = case when blocker.available_at > clock_timestamp() then blocker.available_at
    else clock_timestamp() + interval '1 second' end
from json_to_recordset(%(document)s::json) as item (key bigint, id bigint)
join lateral (
    select b.key, b.id, b.available_at from events_pending b where b.key = item.key and b.id = item.id
) blocker on true
cross join lateral (
    select q.ctid from events_pending q
    where q.key = blocker.key and q.id > blocker.id and not q.suspect
        and (q.available_at is null or q.available_at <= clock_timestamp())
    order by q.id limit %(limit)s
) behind
where p.ctid = behind.ctid
"""


def snooze_blocked(document: str, limit: int) -> int:
    """Let what may run of some keys wait as long as one of their rows does, up to `limit` rows each; how many.

    A JSON list of {key, id: of the row that waits}.
    """
    with cursor() as c:
        return c.execute(SNOOZE, {"document": document, "limit": limit}).rowcount
