"""The log's statements for SQLite: the same functions as in `postgres`, on a database with one writer.

A batch runs under BEGIN IMMEDIATE, which locks every lane at once; lanes are still read one by one, so that a deep
log is read along its index. A statement costs microseconds here, so what PostgreSQL does in one long statement is
a loop of short ones. The process's clock is the database's. There are no low watermarks: SQLite keeps no index entry of
a deleted row.
"""

from events.log.sqlite.append import PAUSE, SPLITS, append, digests, failing_fast
from events.log.sqlite.candidates import any_pending, any_ready
from events.log.sqlite.complete import complete, count, fail
from events.log.sqlite.cursor import instant
from events.log.sqlite.dead_letters import bury, discard, requeue
from events.log.sqlite.fetch import entry, fetch, lock_lanes, lock_these, peek, read, set_transaction_limits
from events.log.sqlite.quarantine import any_suspects, count_crashes, fetch_suspect, mark_suspects, suspects
from events.log.sqlite.snooze import snooze_blocked

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
    "instant",
    "lock_lanes",
    "lock_these",
    "mark_suspects",
    "peek",
    "read",
    "requeue",
    "set_transaction_limits",
    "snooze_blocked",
    "suspects",
]
