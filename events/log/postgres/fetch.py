"""Fetch a batch: limit the transaction in time, lock lanes, and read what is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from events.log.entry import Entry
from events.log.postgres.candidates import OLDEST, READY, URGENT, named, oldest_of_lane, ready_and_due
from events.log.postgres.cursor import array, cursor

# The server ends a batch whose process was stopped or whose host is gone. A wait for another transaction's lock (a
# migration's, say) ends sooner than the batch, so that it is told apart from a statement that takes too long by itself.
# LOCK and FETCH are planned for the indexes made for them, whatever the statistics of the moment say (of a log that was
# empty when it was last analyzed, for one). RESTORE, a part of FETCH, gives the planner its freedom back before
# processors run.
LIMITS = """
select set_config('statement_timeout', %(whole)s, true), set_config('lock_timeout', %(lock)s, true),
    set_config('idle_in_transaction_session_timeout', %(whole)s, true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
"""

LIMITS_17 = LIMITS.rstrip() + ", set_config('transaction_timeout', %(transaction)s, true)\n"

RESTORE = """restore as materialized (
    select set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),
        set_config('enable_bitmapscan', 'on', true)
)"""

LOCK = {
    by_age: f"""
select l.id
from events_lane l
cross join lateral (
    select id, priority from ({candidates("l.id", "1")}) head order by {order} limit 1
) head
where l.id <> all(%(avoid)s::smallint[])
order by head.{order.replace(", ", ", head.")}
limit %(share)s
for update of l skip locked
"""
    for by_age, candidates, order in ((False, ready_and_due, URGENT), (True, oldest_of_lane, OLDEST))
}

LOCK_THESE = "select id from events_lane where id = any(%s::smallint[]) order by id for update skip locked"

BYTES = 8_000_000  # of payloads in a batch, unless its first event alone has more

# A prefix that was cut may lack the urgent event that its key was chosen for.
INHERITED = """greatest(max(item.priority) over (partition by item.key order by item.id desc),
        case when count(*) over (partition by item.key) >= %(limit)s then top.priority else 0 end)"""

# Per key, a batch holds every pending row up to the last that was chosen: an urgent event pulls the earlier ones of its
# DID forward. Ready rows lie above the lowest watermark; rows that are not ready may lie anywhere, and are few.
# `urgency` is the highest priority of an event or of any later one of its key, so cutting by it leaves each key a
# prefix. Rows that wait come along too: what follows them in their key must not run.
CHOSEN = {
    by_age: f"""
with head as materialized (
    select item.key, item.id, item.priority
    from unnest(%(lanes)s::smallint[]) as held (lane)
    cross join lateral ({candidates("held.lane", "%(limit)s")}) item
    order by {order}
    limit %(limit)s
), top as (
    select key, max(id) as id, max(priority) as priority from head group by key
), prefix as materialized (
    select item.*, {urgency} as urgency
    from top
    cross join lateral (
        select * from (
            (select p.ctid, p.* from events_pending p
             where p.key = top.key and {READY} and p.id > %(lowest)s and p.id <= top.id
             order by p.id limit %(limit)s)
            union all
            (select p.ctid, p.* from events_pending p
             where p.key = top.key and (p.available_at is not null or p.suspect) and p.id <= top.id
             order by p.id limit %(limit)s)
        ) both_kinds order by id limit %(limit)s
    ) item
), chosen as (
    select * from prefix order by urgency desc, id limit %(limit)s
)"""
    for by_age, candidates, order, urgency in (
        (False, ready_and_due, URGENT, INHERITED),
        (True, oldest_of_lane, OLDEST, "0"),
    )
}

# Rows as `fetch` and `peek` give them begin with WORK: id, key, suspect, until when the row waits, its place, attempts.
WORK = """c.id, c.key, c.suspect,
    case when c.available_at > clock_timestamp() then c.available_at end as until, c.ctid::text as place, c.attempts"""

EVENT = """e.event_id, e.event_type, e.did, e.priority, e.payload, e.version, e.rev,
    (extract(epoch from e.occurred_at) * 1000000)::bigint as occurred,
    (extract(epoch from e.received_at) * 1000000)::bigint as received"""

COLUMNS = """id, key, suspect, until, place, attempts, event_id, event_type, did, priority, payload, version, rev,
    occurred, received"""

PEEK = {by_age: f"{chosen}\nselect {WORK} from chosen c\n" for by_age, chosen in CHOSEN.items()}

# The cut by bytes is in the order of the cut by number, so it too leaves each key a prefix.
FETCH = {
    by_age: f"""{chosen}, sized as (
    select {WORK}, {EVENT},
        sum(octet_length(e.payload)) over by_urgency as bytes, row_number() over by_urgency as number
    from chosen c join events_event e on e.id = c.id
    window by_urgency as (order by c.urgency desc, c.id)
), {RESTORE}
select {COLUMNS} from restore, sized where bytes <= {BYTES} or number = 1
"""
    for by_age, chosen in CHOSEN.items()
}

# Rows that were announced, and no others: `peek` has just chosen them in this transaction again.
READ = f"""
with {RESTORE}
select {WORK}, {EVENT}
from restore, unnest(%(keys)s::bigint[], %(ids)s::bigint[]) as item (key, id)
join lateral (select p.ctid, p.* from events_pending p where p.key = item.key and p.id = item.id) c on true
join events_event e on e.id = c.id
"""


def set_transaction_limits(seconds: float) -> None:
    """Let the server end the present transaction if a statement, or a silence, lasts `seconds`."""
    milliseconds = max(1, int(seconds * 1000))
    limits = {"whole": str(milliseconds), "lock": str(max(1, milliseconds // 3)), "transaction": str(milliseconds * 2)}
    with cursor() as c:
        c.execute(LIMITS_17 if connection.pg_version >= 170000 else LIMITS, limits)  # type: ignore[attr-defined]


def lock_lanes(share: int, watermarks: Sequence[int], *, by_age: bool, avoid: Sequence[int] = ()) -> list[int]:
    """Lock up to `share` lanes that have work and that are not locked: the most urgent, or those with the oldest."""
    parameters = {"share": share, "avoid": array(avoid), **named(watermarks)}
    with cursor() as c:
        return [row[0] for row in c.execute(LOCK[by_age], parameters)]


def lock_these(lanes: Sequence[int]) -> list[int]:
    """Lock those of `lanes` that are not locked."""
    with cursor() as c:
        return [row[0] for row in c.execute(LOCK_THESE, (array(lanes),))]


def peek(lanes: Sequence[int], limit: int, watermarks: Sequence[int], *, by_age: bool) -> list[tuple[Any, ...]]:
    """The next batch of the locked lanes, without payloads: rows as WORK has them."""
    parameters = {"lanes": array(lanes), "limit": limit, **named(watermarks)}
    with cursor() as c:
        return c.execute(PEEK[by_age], parameters).fetchall()


def fetch(lanes: Sequence[int], limit: int, watermarks: Sequence[int], *, by_age: bool) -> list[tuple[Any, ...]]:
    """The next batch of the locked lanes: rows as WORK and EVENT have them, in no order."""
    parameters = {"lanes": array(lanes), "limit": limit, **named(watermarks)}
    with cursor() as c:
        return c.execute(FETCH[by_age], parameters).fetchall()


def read(keys: Sequence[int], ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """These pending rows with their events: rows as `fetch` gives them."""
    with cursor() as c:
        return c.execute(READ, {"keys": array(keys), "ids": array(ids)}).fetchall()


def entry(row: tuple[Any, ...]) -> Entry:
    """The entry of a row that `fetch` or `read` gave."""
    return Entry(*row[:3], *row[4:])
