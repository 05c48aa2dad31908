"""What became of a batch's events, and the tally of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.sqlite.binding import changed, clock, instant
from events.models.attempt import KEPT
from events.syntax import microseconds

COMPLETE = """
update events_event set state = 1, attempts = attempts + 1, finished_at = :now
where id in (select value from json_each(:ids)) and state = 0
"""

COUNT = """
insert into events_tally (lane, processed, failed) values (:lane, :processed, :failed)
on conflict (lane) do update
set processed = events_tally.processed + excluded.processed, failed = events_tally.failed + excluded.failed
"""

FAIL = """
update events_event set attempts = attempts + 1, last_error = :error, state = :state, finished_at = :finished_at,
    available_at = coalesce(:available_at, available_at), reason = :reason
where id = :id and state = 0
"""

KEEP_ATTEMPT = """
insert into events_attempt (event_id, number, at, worker, kind, message, trace)
select id, attempts, :now, :worker, :kind, :message, :trace from events_event where id = :id
"""

FORGET_ATTEMPTS = f"""
delete from events_attempt where event_id = :id and id <= (
    select id from events_attempt where event_id = :id order by id desc limit 1 offset {KEPT})
"""


def complete(connection: BaseDatabaseWrapper, ids: Sequence[int], lane: int, failed: int) -> tuple[int, int]:
    """Mark events done, and count them and `failed` attempts in the tally of a lane that is held.

    Answers how many of the events were still pending, and the time: microseconds since 1970.
    """
    now = clock()
    done = changed(connection, COMPLETE, {"ids": json.dumps(list(ids)), "now": instant(now)})
    changed(connection, COUNT, {"lane": lane, "processed": len(ids), "failed": failed})
    return done, microseconds(now)


def count(connection: BaseDatabaseWrapper, lane: int, *, failed: int) -> None:
    """Count attempts that failed outside a step's transaction."""
    changed(connection, COUNT, {"lane": lane, "processed": 0, "failed": failed})


def fail(connection: BaseDatabaseWrapper, document: str, worker: str) -> int:
    """Record failed attempts at `worker`; how many of the events were still pending.

    A JSON list of {id, wait: seconds or null, error, reason, kind, message, trace}.
    """
    return sum(_fail(connection, item, worker) for item in json.loads(document))


def _fail(connection: BaseDatabaseWrapper, item: dict[str, Any], worker: str) -> int:
    now, wait = clock(), item["wait"]
    verdict = {
        "id": item["id"],
        "error": item["error"],
        "reason": item["reason"] if wait is None else "",
        "state": 2 if wait is None else 0,
        "finished_at": instant(now) if wait is None else None,
        "available_at": None if wait is None else instant(datetime.fromtimestamp(now.timestamp() + wait, UTC)),
    }
    if not changed(connection, FAIL, verdict):
        return 0
    told = {name: item[name] for name in ("id", "kind", "message", "trace")}
    changed(connection, KEEP_ATTEMPT, {**told, "now": instant(now), "worker": worker})
    changed(connection, FORGET_ATTEMPTS, {"id": item["id"]})
    return 1
