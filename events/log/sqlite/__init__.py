"""The log's statements for SQLite: the same functions as in `postgres`, on a database with one writer.

A step runs under BEGIN IMMEDIATE, which holds every lane at once; lanes are still read one by one, so that a deep
log is read along its index. A statement costs microseconds here, so what PostgreSQL does in one long statement is
a loop of short ones. The process's clock is the database's.
"""

from events.log.sqlite.arriving import PAUSE, append, digests, failing_fast
from events.log.sqlite.binding import instant
from events.log.sqlite.ending import complete, count, fail
from events.log.sqlite.ready import any_pending, any_ready, floors
from events.log.sqlite.suspected import read_suspect, suspects
from events.log.sqlite.taking import entry, fence, lock_lanes, lock_these, read
from events.log.sqlite.waiting import hold_back, postpone

__all__ = [
    "PAUSE",
    "any_pending",
    "any_ready",
    "append",
    "complete",
    "count",
    "digests",
    "entry",
    "fail",
    "failing_fast",
    "fence",
    "floors",
    "hold_back",
    "instant",
    "lock_lanes",
    "lock_these",
    "postpone",
    "read",
    "read_suspect",
    "suspects",
]
