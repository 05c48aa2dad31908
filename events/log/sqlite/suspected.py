"""Events that may have killed a worker: each runs alone."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.sqlite.binding import clock, instant, run
from events.log.sqlite.taking import COLUMNS

# A suspect may run when it is the first of its DID that is not finished.
MAY_RUN = """e.state = 0 and e.suspect and e.available_at <= :now
    and not exists (select 1 from events_event b indexed by events_unfinished
        where b.did = e.did and b.state = 0 and b.id + 0 < e.id)"""

SUSPECTS = f"select e.id, e.lane from events_event e where {MAY_RUN} order by e.available_at, e.id limit 64"

ENTRY_OF_SUSPECT = f"select {COLUMNS} from events_event e where e.id = :id and {MAY_RUN}"


def suspects(connection: BaseDatabaseWrapper) -> list[tuple[int, int]]:
    """(id, lane) of suspects that may run now."""
    return run(connection, SUSPECTS, {"now": instant(clock())})


def read_suspect(connection: BaseDatabaseWrapper, event: int) -> list[tuple[Any, ...]]:
    """The row of one suspect, if it may still run now, as `read` gives it."""
    return run(connection, ENTRY_OF_SUSPECT, {"id": event, "now": instant(clock())})
