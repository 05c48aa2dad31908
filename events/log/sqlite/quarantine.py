"""Events that may have crashed a worker: each runs alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from events.log.sqlite.cursor import array, clock, instant, run
from events.log.sqlite.fetch import EVENT, WORK

# A suspect may run when it is the first pending event of its key.
MAY_RUN = """c.suspect and (c.available_at is null or c.available_at <= :now)
    and not exists (select 1 from events_pending b where b.key = c.key and b.id < c.id)"""

SUSPECTS = f"select c.id, c.lane from events_pending c where {MAY_RUN} order by c.available_at, c.id limit 64"

ANY_SUSPECTS = "select exists (select 1 from events_pending where suspect)"

FETCH_SUSPECT = f"""
select {WORK}, {EVENT}
from events_pending c join events_event e on e.id = c.id
where c.id = :id and {MAY_RUN}
"""

THESE = """(key, id) in (
    select e.key, e.id from json_each(:ids) item cross join events_event e on e.id = item.value)"""

MARK = f"update events_pending set suspect = 1 where {THESE} and not suspect returning id, attempts"

COUNT_CRASH = f"update events_pending set crashes = crashes + 1 where {THESE} returning id, attempts, crashes"


def suspects() -> list[tuple[int, int]]:
    """(id, lane) of suspects that may run now."""
    return run(SUSPECTS, {"now": instant(clock())})


def any_suspects() -> bool:
    """Whether an event waits to run alone."""
    return bool(run(ANY_SUSPECTS)[0][0])


def fetch_suspect(event: int) -> list[tuple[Any, ...]]:
    """The row of one suspect, if it may still run now, as `fetch` gives it."""
    return run(FETCH_SUSPECT, {"id": event, "now": instant(clock())})


def mark_suspects(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Mark pending events as suspects; (id, attempts) of those that were not marked before."""
    return run(MARK, {"ids": array(ids)})


def count_crashes(ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Count a crash of each pending event, which ran alone; (id, attempts, crashes)."""
    return run(COUNT_CRASH, {"ids": array(ids)})
