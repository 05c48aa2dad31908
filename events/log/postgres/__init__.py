"""The log's statements for PostgreSQL.

What holds for all of them:

- A batch goes to the server as one text parameter, a JSON document that is unfolded there: appending through
  arrays took three times as long.
- They are prepared: planning LOCK and FETCH takes as long as running them.
"""

from events.log.postgres.append import PAUSE, SPLITS, append, digests, failing_fast
from events.log.postgres.candidates import any_pending, any_ready
from events.log.postgres.complete import complete, count, fail
from events.log.postgres.cursor import instant
from events.log.postgres.dead_letters import bury, discard, requeue
from events.log.postgres.fetch import entry, fetch, lock_lanes, lock_these, peek, read, set_transaction_limits
from events.log.postgres.quarantine import any_suspects, count_crashes, fetch_suspect, mark_suspects, suspects
from events.log.postgres.snooze import snooze_blocked
from events.log.postgres.watermark import horizon, last_id, lowest_ready, stranded, xid

__all__ = [
    "PAUSE",
    "SPLITS",
    "any_pending",
    "any_ready",
    "any_suspects",
    "append",
    "bury",
    "complete",
    "count",
    "count_crashes",
    "digests",
    "discard",
    "entry",
    "fail",
    "failing_fast",
    "fetch",
    "fetch_suspect",
    "horizon",
    "instant",
    "last_id",
    "lock_lanes",
    "lock_these",
    "lowest_ready",
    "mark_suspects",
    "peek",
    "read",
    "requeue",
    "set_transaction_limits",
    "snooze_blocked",
    "stranded",
    "suspects",
    "xid",
]
