"""Events that may have killed a worker: each runs alone."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.postgres.binding import cursor
from events.log.postgres.taking import COLUMNS

# A suspect may run when it is the first of its DID that is not finished.
SUSPECTS = """
select e.id, e.lane from events_event e
where e.state = 0 and e.suspect and e.available_at <= now()
    and not exists (select 1 from events_event b where b.did = e.did and b.state = 0 and b.id + 0 < e.id)
order by e.available_at, e.id limit 64
"""

ENTRY_OF_SUSPECT = f"""
select {COLUMNS} from events_event e
where e.id = %s and e.state = 0 and e.suspect and e.available_at <= now()
    and not exists (select 1 from events_event b where b.did = e.did and b.state = 0 and b.id + 0 < e.id)
"""


def suspects(connection: BaseDatabaseWrapper) -> list[tuple[int, int]]:
    """(id, lane) of suspects that may run now."""
    with cursor(connection) as c:
        return c.execute(SUSPECTS).fetchall()


def read_suspect(connection: BaseDatabaseWrapper, event: int) -> list[tuple[Any, ...]]:
    """The row of one suspect, if it may still run now, as `read` gives it."""
    with cursor(connection) as c:
        return c.execute(ENTRY_OF_SUSPECT, (event,)).fetchall()
