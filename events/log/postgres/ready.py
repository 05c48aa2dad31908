"""What may be applied now: the candidates of a lane, the floors above which they lie, whether there are any."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.postgres.binding import cursor

URGENT_FIRST = (3, 2, 1, 0)

URGENT = "priority desc, id"

OLDEST = "id"

READY = "e.state = 0 and not e.suspect and e.available_at <= e.received_at"

DUE = "e.state = 0 and not e.suspect and e.available_at > e.received_at and e.available_at <= now()"


def ready_and_due(lane: str, limit: str) -> str:
    """The first ready events of a lane, the most urgent first, and those that are due again."""
    return (
        f"(select * from ({' union all '.join(_ready(lane, limit))}) ready limit {limit}) union all {_due(lane, limit)}"
    )


def oldest_of_lane(lane: str, limit: str) -> str:
    """The first ready events of a lane of each priority, and those that are due again: its oldest are among them."""
    return " union all ".join([*_ready(lane, limit), _due(lane, limit)])


def _ready(lane: str, limit: str) -> list[str]:
    """The first ready events of a lane: one index range for each priority, the most urgent first.

    A range begins above its priority's floor. While some transaction holds back the vacuum horizon, index
    entries of events that are done pile up at the head of the index, and a read without floors walks over them.
    """
    return [
        f"(select e.id, e.did, e.priority from events_event e where e.lane = {lane} and {READY}"
        f" and e.priority = {priority} and e.id + 0 > %(floor{priority})s order by e.id + 0 limit {limit})"
        for priority in URGENT_FIRST
    ]


def _due(lane: str, limit: str) -> str:
    return (
        f"(select e.id, e.did, e.priority from events_event e where e.lane = {lane} and {DUE}"
        f" order by e.available_at limit {limit})"
    )


# Where nothing of a priority is ready, everything up to the last id that was given out is behind it. An event that
# commits while this runs can be under a floor that did not see it: it is applied before that floor is used.
FLOORS = "\nunion all\n".join(
    f"select {priority}, coalesce((select min(head.id) - 1 from events_lane l cross join lateral ("
    f"select e.id from events_event e where e.lane = l.id and {READY} and e.priority = {priority}"
    f" and e.id + 0 > %(floor{priority})s order by e.id + 0 limit 1) head),"
    f" (select case when is_called then last_value else 0 end from events_event_id_seq))"
    for priority in URGENT_FIRST
)

ANY_PENDING = "select exists (select 1 from events_event where state = 0)"


def floors(connection: BaseDatabaseWrapper, above: Sequence[int]) -> list[int]:
    """For each priority (as an index) an id below which nothing is ready, as far as can be seen from `above` up."""
    with cursor(connection) as c:
        found = dict(c.execute(FLOORS, named(above)).fetchall())
    return [found[priority] for priority in sorted(URGENT_FIRST)]


def named(floors: Sequence[int]) -> dict[str, int]:
    """The floors as parameters, by priority."""
    return {f"floor{priority}": floors[priority] for priority in URGENT_FIRST}


def any_pending(connection: BaseDatabaseWrapper) -> bool:
    """Whether anything is left to do, now or later."""
    with connection.cursor() as c:
        c.execute(ANY_PENDING)
        row = c.fetchone()
    return bool(row and row[0])


def any_ready(connection: BaseDatabaseWrapper) -> bool:
    """Whether a step is worth its transaction; PostgreSQL answers that as it locks lanes."""
    return True
