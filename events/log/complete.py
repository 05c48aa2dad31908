"""Complete a batch, record the attempts that failed, and snooze what is blocked: all in the batch's transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import connection

from events.log.database import array, changed, microseconds_now, run
from events.log.entry import Entry


def complete(entries: Sequence[Entry], lane: int, failed: int, worker: str) -> tuple[int, int]:
    """Complete applied events, and count them and `failed` attempts in the tally of a lane that is locked.

    Returns how many of the events were unchanged since the fetch, and the time: microseconds since 1970.
    """
    counts = {"lane": lane, "processed": len(entries), "failed": failed, "worker": worker}
    if connection.vendor == "sqlite":
        rows = json.dumps([(entry.key, entry.id) for entry in entries])
        return changed("complete", rows=rows, **counts), microseconds_now()
    ids = array(entry.id for entry in entries)
    places = "{" + ",".join(f'"{entry.place}"' for entry in entries) + "}"
    [(deleted, finished)] = run("complete", ids=ids, places=places, **counts)
    return deleted, finished


def count(lane: int, *, failed: int) -> None:
    """Count attempts that failed outside a batch's transaction."""
    changed("count", lane=lane, failed=failed)


def fail(document: str, worker: str) -> int:
    """Record failed attempts at `worker`; how many of the events were still pending.

    A JSON list of {key, id, wait: seconds or null, kind, message, text, trace, reason}.
    """
    return changed("fail", document=document, worker=worker)


def snooze_blocked(document: str, limit: int) -> int:
    """Let what may run of some keys wait as long as one of their rows does, up to `limit` rows each; how many.

    A JSON list of {key, id: of the row that waits}.
    """
    return changed("snooze", document=document, limit=limit)
