"""What may be applied now: the candidates of a lane, the low watermarks above which they lie, whether there are any."""

from __future__ import annotations

from collections.abc import Sequence

from events.log.postgres.cursor import cursor

URGENT_FIRST = (3, 2, 1, 0)

URGENT = "priority desc, id"

OLDEST = "id"

READY = "p.available_at is null and not p.suspect"

DUE = "p.available_at is not null and not p.suspect and p.available_at <= clock_timestamp()"


def ready_and_due(lane: str, limit: str) -> str:
    """The first ready rows of a lane, the most urgent first, and those that are due."""
    return (
        f"(select * from ({' union all '.join(_ready(lane, limit))}) ready limit {limit}) union all "
        f"{' union all '.join(_due(lane, limit))}"
    )


def oldest_of_lane(lane: str, limit: str) -> str:
    """The first ready rows of a lane of each priority, and those that are due: its oldest are among them."""
    return " union all ".join([*_ready(lane, limit), *_due(lane, limit)])


def _ready(lane: str, limit: str) -> list[str]:
    """The first ready rows of a lane: one index range for each priority, the most urgent first.

    A range starts above its priority's low watermark. While a transaction holds back the vacuum horizon, index
    entries of deleted rows remain at the head of the index, and a read without watermarks walks over them.
    """
    return [
        f"(select p.key, p.id, p.priority from events_pending p where p.lane = {lane} and {READY}"
        f" and p.priority = {priority} and p.id > %(above{priority})s order by p.id limit {limit})"
        for priority in URGENT_FIRST
    ]


def _due(lane: str, limit: str) -> list[str]:
    """The first due rows of a lane of each priority: an index range each."""
    return [
        f"(select p.key, p.id, p.priority from events_pending p where p.lane = {lane} and {DUE}"
        f" and p.priority = {priority} order by p.available_at limit {limit})"
        for priority in URGENT_FIRST
    ]


ANY_PENDING = "select exists (select 1 from events_pending)"


def named(watermarks: Sequence[int]) -> dict[str, int]:
    """The low watermarks as parameters, by priority, and the lowest of them."""
    by_priority = {f"above{priority}": watermarks[priority] for priority in URGENT_FIRST}
    return {**by_priority, "lowest": min(watermarks)}


def any_pending() -> bool:
    """Whether anything is left to do, now or later."""
    with cursor() as c:
        row = c.execute(ANY_PENDING).fetchone()
    return bool(row and row[0])


def any_ready() -> bool:
    """Whether a batch is worth its transaction; PostgreSQL answers that as it locks lanes."""
    return True
