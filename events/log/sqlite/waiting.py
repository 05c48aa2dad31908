"""Events that must wait, though nothing is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.sqlite.binding import changed, clock, instant

POSTPONE = "update events_event set available_at = :until where id in (select value from json_each(:ids)) and state = 0"

HOLD_BACK = """
update events_event set available_at = :until where id in (
    select b.id from events_event b indexed by events_unfinished
    where b.did = :did and b.state = 0 and not b.suspect and b.id + 0 > :after
        and b.available_at <= max(:now, b.received_at)
    order by b.id + 0 limit :limit
)
"""


def postpone(connection: BaseDatabaseWrapper, ids: Iterable[int]) -> None:
    """Let events wait for a second."""
    changed(connection, POSTPONE, {"ids": json.dumps(list(ids)), "until": _in_a_second()})


def hold_back(connection: BaseDatabaseWrapper, document: str, limit: int) -> int:
    """Postpone what is ready of some DIDs, a JSON list of {did, after: id, until}, up to `limit` each; how many."""
    soonest, now = _in_a_second(), instant(clock())
    return sum(
        changed(connection, HOLD_BACK, {**item, "until": max(item["until"] or "", soonest), "now": now, "limit": limit})
        for item in json.loads(document)
    )


def _in_a_second() -> str:
    return instant(datetime.fromtimestamp(clock().timestamp() + 1, UTC))
