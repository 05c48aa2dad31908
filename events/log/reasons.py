"""Dead letters by reason: one probe of an index for each reason, and a bounded count along it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection, transaction

MOST = 50  # reasons that are told; more of them is a reason to read the list
COUNTED = 20_000  # letters of a reason that are counted; 200,000 in ten reasons take 60 ms

# From each reason to the next: a step of the recursion is one probe, however many letters a reason has.
REASONS = """
with recursive each as (
    select min(reason) as reason, 1 as number from events_dead_letter {by_reason} where discarded_at is null
    union all
    select (select min(d.reason) from events_dead_letter d {by_reason}
            where d.discarded_at is null and d.reason > each.reason), each.number + 1
    from each where each.reason is not null and each.number < %(most)s
)
select each.reason,
    (select count(*) from (
        select 1 from events_dead_letter d {by_reason}
        where d.discarded_at is null and d.reason = each.reason limit %(counted)s
    ) counted),
    (select min(d.died_at) from events_dead_letter d {by_reason}
     where d.discarded_at is null and d.reason = each.reason),
    (select max(d.died_at) from events_dead_letter d {by_reason}
     where d.discarded_at is null and d.reason = each.reason),
    (select d.id from events_dead_letter d {by_reason} where d.discarded_at is null and d.reason = each.reason
     order by d.died_at desc, d.id desc limit 1)
from each where each.reason is not null
"""
TYPES = """
with recursive each as (
    select min(event_type) as event_type, 1 as number from events_dead_letter {by_type} where discarded_at is null
    union all
    select (select min(d.event_type) from events_dead_letter d {by_type}
            where d.discarded_at is null and d.event_type > each.event_type), each.number + 1
    from each where each.event_type is not null and each.number < %(most)s
)
select event_type from each where event_type is not null
"""
INDEXED = {f"by_{name}": f"indexed by events_dead_{name}" for name in ("reason", "type")}
FREE = dict.fromkeys(INDEXED, "")  # PostgreSQL has no way to name an index: its planner is restricted instead


@dataclass(frozen=True, slots=True)
class Group:
    """The dead letters of one reason. `count` stops at COUNTED + 1; `newest` is the id of the last that died."""

    reason: str
    count: int
    first: datetime | None
    last: datetime | None
    newest: int

    @property
    def counted(self) -> bool:
        """Whether `count` is all of them."""
        return self.count <= COUNTED


def groups() -> list[Group]:
    """The reasons of all dead letters, the most frequent first, MOST at the most."""
    rows = _run(REASONS, {"most": MOST, "counted": COUNTED + 1})
    found = [Group(reason, count, _moment(first), _moment(last), newest) for reason, count, first, last, newest in rows]
    return sorted(found, key=lambda group: (-group.count, group.reason))


def types() -> list[str]:
    """The event types that have dead letters, MOST at the most."""
    return [event_type for (event_type,) in _run(TYPES, {"most": MOST})]


def _run(statement: str, parameters: dict[str, int]) -> list[tuple]:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Whatever the statistics say of a moment when nothing was dead, or everything.
            cursor.execute("select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)")
        cursor.execute(statement.format(**(FREE if connection.vendor == "postgresql" else INDEXED)), parameters)
        return cursor.fetchall()


def _moment(stored: datetime | str | None) -> datetime | None:
    if isinstance(stored, str):  # SQLite has no times of its own
        stored = datetime.fromisoformat(stored).replace(tzinfo=UTC)
    return stored
