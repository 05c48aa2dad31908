"""Complete a batch: delete its pending rows, record the batch, count it, and record the attempts that failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from events.log.entry import Entry
from events.log.sqlite.cursor import array, changed, clock, in_seconds, instant, run
from events.models.attempt import KEPT
from events.models.batch import SPAN
from events.syntax import microseconds

DELETE = """
delete from events_pending where (key, id) in (
    select k.value, i.value from json_each(:ids) i join json_each(:keys) k on k.key = i.key)
"""

RECORD = """
insert into events_batch (last_id, first_id, finished_at, worker, ids) values (:last, :first, :now, :worker, :ids)
"""

COUNT = """
insert into events_tally (lane, processed, failed) values (:lane, :processed, :failed)
on conflict (lane) do update
set processed = events_tally.processed + excluded.processed, failed = events_tally.failed + excluded.failed
"""

RETRY = """
update events_pending set attempts = attempts + 1, available_at = :available_at where key = :key and id = :id
returning attempts
"""

GONE = "delete from events_pending where key = :key and id = :id returning attempts + 1"

DEAD = """
insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, note)
select id, event_type, did, :reason, :error, :attempts, :now, '' from events_event where id = :id
"""

KEEP_ATTEMPT = """
insert into events_attempt (event_id, number, at, worker, kind, message, trace)
values (:id, :attempts, :now, :worker, :kind, :message, :trace)
"""

FORGET_ATTEMPTS = f"""
delete from events_attempt where event_id = :id and id <= (
    select id from events_attempt where event_id = :id order by id desc limit 1 offset {KEPT})
"""


def complete(entries: Sequence[Entry], lane: int, failed: int, worker: str) -> tuple[int, int]:
    """Complete applied events, and count them and `failed` attempts in the tally of a lane that is locked.

    Returns how many of the events were still pending, and the time: microseconds since 1970.
    """
    now = clock()
    ids = [entry.id for entry in entries]
    done = changed(DELETE, {"ids": array(ids), "keys": array(entry.key for entry in entries)})
    for _, group in groupby(sorted(ids), lambda id_: id_ // SPAN):
        part = list(group)
        run(
            RECORD,
            {"last": part[-1], "first": part[0], "now": instant(now), "worker": worker, "ids": array(part)},
        )
    changed(COUNT, {"lane": lane, "processed": len(ids), "failed": failed})
    return done, microseconds(now)


def count(lane: int, *, failed: int) -> None:
    """Count attempts that failed outside a batch's transaction."""
    changed(COUNT, {"lane": lane, "processed": 0, "failed": failed})


def fail(document: str, worker: str) -> int:
    """Record failed attempts at `worker`; how many of the events were still pending.

    A JSON list of {key, id, wait: seconds or null, error, reason, kind, message, trace}.
    """
    return sum(_fail(item, worker) for item in json.loads(document))


def _fail(item: dict[str, Any], worker: str) -> int:
    row = {**item, "now": instant(clock()), "worker": worker}
    if item["wait"] is None:
        found = run(GONE, {name: row[name] for name in ("key", "id")})
    else:
        row["available_at"] = in_seconds(item["wait"])
        found = run(RETRY, {name: row[name] for name in ("key", "id", "available_at")})
    if not found:
        return 0
    row["attempts"] = found[0][0]
    if item["wait"] is None:
        changed(DEAD, {name: row[name] for name in ("id", "reason", "error", "attempts", "now")})
    changed(KEEP_ATTEMPT, {name: row[name] for name in ("id", "attempts", "now", "worker", "kind", "message", "trace")})
    changed(FORGET_ATTEMPTS, {"id": item["id"]})
    return 1
