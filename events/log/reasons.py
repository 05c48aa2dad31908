"""Dead letters by reason: one probe of an index for each reason, and a bounded count along it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

MOST = 50  # reasons that are told; more of them is a reason to read the list
COUNTED = 20_000  # letters of a reason that are counted; 200,000 in ten reasons take 60 ms

# From each reason to the next: a step of the recursion is one probe, however many letters a reason has.
# The state stands as a literal, since a partial index serves no parameter.
REASONS = """
with recursive each as (
    select min(reason) as reason, 1 as number from events_event {by_reason} where state = 2
    union all
    select (select min(e.reason) from events_event e {by_reason} where e.state = 2 and e.reason > each.reason),
        each.number + 1
    from each where each.reason is not null and each.number < %(most)s
)
select each.reason,
    (select count(*) from (
        select 1 from events_event e {by_reason} where e.state = 2 and e.reason = each.reason limit %(counted)s
    ) counted),
    (select min(e.finished_at) from events_event e {by_reason} where e.state = 2 and e.reason = each.reason),
    (select max(e.finished_at) from events_event e {by_reason} where e.state = 2 and e.reason = each.reason),
    (select e.id from events_event e {by_reason} where e.state = 2 and e.reason = each.reason
     order by e.finished_at desc, e.id desc limit 1)
from each where each.reason is not null
"""
TYPES = """
with recursive each as (
    select min(event_type) as event_type, 1 as number from events_event {by_type} where state = 2
    union all
    select (select min(e.event_type) from events_event e {by_type}
            where e.state = 2 and e.event_type > each.event_type), each.number + 1
    from each where each.event_type is not null and each.number < %(most)s
)
select event_type from each where event_type is not null
"""
INDEXED = {f"by_{name}": f"indexed by events_dead_{name}" for name in ("reason", "type")}
FREE = dict.fromkeys(INDEXED, "")  # PostgreSQL has no way to name an index: its planner is told what not to do


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


def groups(connection: BaseDatabaseWrapper) -> list[Group]:
    """The reasons of all dead letters, the most frequent first, MOST at the most."""
    rows = _run(connection, REASONS, {"most": MOST, "counted": COUNTED + 1})
    found = [Group(reason, count, _moment(first), _moment(last), newest) for reason, count, first, last, newest in rows]
    return sorted(found, key=lambda group: (-group.count, group.reason))


def types(connection: BaseDatabaseWrapper) -> list[str]:
    """The event types that have dead letters, MOST at the most."""
    return [event_type for (event_type,) in _run(connection, TYPES, {"most": MOST})]


def _run(connection: BaseDatabaseWrapper, statement: str, parameters: dict[str, int]) -> list[tuple]:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Whatever the statistics say of a moment when nothing was dead, or everything.
            cursor.execute("select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)")
        cursor.execute(statement.format(**(FREE if connection.vendor == "postgresql" else INDEXED)), parameters)
        return cursor.fetchall()


def _moment(stored: datetime | str | None) -> datetime | None:
    if isinstance(stored, str):  # SQLite has no times of its own
        stored = datetime.fromisoformat(stored).replace(tzinfo=UTC)
    return stored
