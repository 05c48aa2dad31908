"""The log's statements for PostgreSQL.

What holds for all of them:

- The state stands in them as a literal, since a partial index serves no parameter.
- A batch goes to the server as one text parameter, a JSON document that is unfolded there: appending through
  arrays took three times as long.
- They are prepared: planning LOCK and READ takes as long as running them.
- They walk the log in the order of `id + 0`, an expression that only the partial indexes have. In the order of
  `id` a planner with old statistics may take the primary key, and step over every event that was ever done.
"""

from events.log.postgres.arriving import PAUSE, append, digests, failing_fast
from events.log.postgres.binding import instant
from events.log.postgres.ending import complete, count, fail
from events.log.postgres.ready import any_pending, any_ready, floors
from events.log.postgres.suspected import read_suspect, suspects
from events.log.postgres.taking import entry, fence, lock_lanes, lock_these, read
from events.log.postgres.waiting import hold_back, postpone

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
