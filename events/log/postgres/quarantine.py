"""Events that may have crashed a worker: each runs alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from events.log.postgres.cursor import array, cursor
from events.log.postgres.fetch import EVENT, RESTORE, WORK

# A suspect may run when it is the first pending event of its key.
MAY_RUN = """c.suspect and (c.available_at is null or c.available_at <= clock_timestamp())
    and not exists (select 1 from events_pending b where b.key = c.key and b.id < c.id)"""

SUSPECTS = (
    f"select c.id, c.lane from events_pending c where {MAY_RUN} order by c.available_at nulls first, c.id limit 64"
)

ANY_SUSPECTS = "select exists (select 1 from events_pending where suspect)"

FETCH_SUSPECT = f"""
with {RESTORE}
select {WORK}, {EVENT}
from restore, events_pending c join events_event e on e.id = c.id
where c.id = %s and {MAY_RUN}
"""

MARK = """
update events_pending p set suspect = true
from events_event e
where e.id = any(%s::bigint[]) and p.key = e.key and p.id = e.id and not p.suspect
returning p.id, p.attempts
"""

COUNT_CRASH = """
update events_pending p set crashes = p.crashes + 1
from events_event e
where e.id = any(%s::bigint[]) and p.key = e.key and p.id = e.id
returning p.id, p.attempts, p.crashes
"""


def suspects() -> list[tuple[int, int]]:
    """(id, lane) of suspects that may run now."""
    with cursor() as c:
        return c.execute(SUSPECTS).fetchall()


def any_suspects() -> bool:
    """Whether an event waits to run alone."""
    with cursor() as c:
        row = c.execute(ANY_SUSPECTS).fetchone()
    return bool(row and row[0])


def fetch_suspect(event: int) -> list[tuple[Any, ...]]:
    """The row of one suspect, if it may still run now, as `fetch` gives it."""
    with cursor() as c:
        return c.execute(FETCH_SUSPECT, (event,)).fetchall()


def mark_suspects(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Mark pending events as suspects; (id, attempts) of those that were not marked before."""
    with cursor() as c:
        return c.execute(MARK, (array(ids),)).fetchall()


def count_crashes(ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Count a crash of each pending event, which ran alone; (id, attempts, crashes)."""
    with cursor() as c:
        return c.execute(COUNT_CRASH, (array(ids),)).fetchall()
