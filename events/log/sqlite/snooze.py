"""Snooze events that are blocked by an earlier event of their DID."""

from __future__ import annotations

import json

from events.log.sqlite.cursor import changed, clock, in_seconds, instant

# `:soon` for what follows a suspect that is due.
SNOOZE = """
update events_pending set available_at = max(:soon, coalesce((
    select b.available_at from events_pending b where b.key = :key and b.id = :id and b.available_at > :now), ''))
where key = :key and id in (
    select q.id from events_pending q
    where q.key = :key and q.id > :id and not q.suspect and (q.available_at is null or q.available_at <= :now)
        and exists (select 1 from events_pending b where b.key = :key and b.id = :id)
    order by q.id limit :limit
)
"""


def snooze_blocked(document: str, limit: int) -> int:
    """Let what may run of some keys wait as long as one of their rows does, up to `limit` rows each; how many.

    A JSON list of {key, id: of the row that waits}.
    """
    times = {"now": instant(clock()), "soon": in_seconds(1)}
    return sum(changed(SNOOZE, {**item, **times, "limit": limit}) for item in json.loads(document))
