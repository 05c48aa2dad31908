"""The log's statements for PostgreSQL.

What holds for all of them:

- The state stands in them as a literal, since a partial index serves no parameter.
- A batch goes to the server as one text parameter, a JSON document that is unfolded there: appending through
  arrays took three times as long.
- They are prepared: planning LOCK and READ takes as long as running them.
- They walk the log in the order of `id + 0`, an expression that only the partial indexes have. In the order of
  `id` a planner with old statistics may take the primary key, and step over every event that was ever done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.entry import Entry
from events.models.attempt import KEPT

URGENT_FIRST = (3, 2, 1, 0)

APPEND = """
with document as materialized (
    select nextval('events_event_id_seq') as id, clock_timestamp() as at, item.*
    from json_to_recordset(%s::json) as item (
        i uuid, t text, d text, l smallint, r smallint, p jsonb, g text, v bigint, rev text, o timestamptz, e text,
        q text, w text, n text
    )
)
insert into events_event (
    id, event_id, event_type, did, lane, priority, payload, digest, rev, occurred_at, version,
    state, attempts, crashes, suspect, available_at, received_at, finished_at, last_error, request_id,
    traceparent, reason
)
select id, i, t, d, l, r, p, g, rev, o, coalesce(v, (extract(epoch from at) * 1000000)::bigint),
    case when e is null then 0 else 2 end, 0, 0, false, at, at,
    case when e is null then null else at end, coalesce(e, ''), q, w, coalesce(n, '')
from document
order by i
on conflict (event_id) do nothing
returning event_id
"""

DIGESTS = "select event_id, digest from events_event where event_id = any(%s::uuid[])"
KEEP_RAW = "update events_event set raw = %s where event_id = %s"

# The server ends a step whose process was stopped or whose host is gone. A wait for somebody's lock (a migration's,
# say) ends sooner than the step, so that it is told apart from a statement that takes too long by itself.
# LOCK and READ are planned for the indexes made for them, whatever the statistics of the moment say (of a log that was
# empty when it was last analyzed, for one). READ gives the planner its freedom back before processors run.
FENCE = """
select set_config('statement_timeout', %(whole)s, true), set_config('lock_timeout', %(lock)s, true),
    set_config('idle_in_transaction_session_timeout', %(whole)s, true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
"""
FENCE_17 = FENCE.rstrip() + ", set_config('transaction_timeout', %(transaction)s, true)\n"

COLUMNS = """e.id, e.event_id, e.event_type, e.did, e.priority, e.payload::text, e.version, e.rev,
    (extract(epoch from e.occurred_at) * 1000000)::bigint, (extract(epoch from e.received_at) * 1000000)::bigint,
    e.attempts, e.suspect, case when e.available_at > greatest(now(), e.received_at) then e.available_at end"""

READY = "e.state = 0 and not e.suspect and e.available_at <= e.received_at"
DUE = "e.state = 0 and not e.suspect and e.available_at > e.received_at and e.available_at <= now()"


def _ready_of_lane(lane: str, limit: str) -> str:
    """The first ready events of a lane, the most urgent first: one index range for each priority.

    A range begins above its priority's floor. While some transaction holds back the vacuum horizon, index
    entries of events that are done pile up at the head of the index, and a read without floors walks over them.
    """
    ranges = " union all ".join(
        f"(select e.id, e.did, e.priority from events_event e where e.lane = {lane} and {READY}"
        f" and e.priority = {priority} and e.id + 0 > %(floor{priority})s order by e.id + 0 limit {limit})"
        for priority in URGENT_FIRST
    )
    return f"(select * from ({ranges}) ready limit {limit})"


def _ready_and_due(lane: str, limit: str) -> str:
    due = (
        f"(select e.id, e.did, e.priority from events_event e where e.lane = {lane} and {DUE}"
        f" order by e.available_at limit {limit})"
    )
    return f"{_ready_of_lane(lane, limit)} union all {due}"


def _oldest_of_lane(lane: str, limit: str) -> str:
    """The first ready events of a lane of each priority, and those that are due again: its oldest are among them."""
    return " union all ".join(
        [
            f"(select e.id, e.did, e.priority from events_event e where e.lane = {lane} and {READY}"
            f" and e.priority = {priority} and e.id + 0 > %(floor{priority})s order by e.id + 0 limit {limit})"
            for priority in URGENT_FIRST
        ]
        + [
            f"(select e.id, e.did, e.priority from events_event e where e.lane = {lane} and {DUE}"
            f" order by e.available_at limit {limit})"
        ]
    )


URGENT = "priority desc, id"
OLDEST = "id"

LOCK = {
    by_age: f"""
select l.id
from events_lane l
cross join lateral (
    select id, priority from ({candidates("l.id", "1")}) head order by {order} limit 1
) head
order by head.{order.replace(", ", ", head.")}
limit %(share)s
for update of l skip locked
"""
    for by_age, candidates, order in ((False, _ready_and_due, URGENT), (True, _oldest_of_lane, OLDEST))
}

# A prefix that was cut may lack the urgent event that its DID was chosen for.
INHERITED = """greatest(max(item.priority) over (partition by item.did order by item.id desc),
        case when count(*) over (partition by item.did) >= %(limit)s then top.priority else 0 end)"""

# Per DID, a batch holds every unfinished event up to the last that was chosen: an urgent event pulls the earlier
# ones of its DID forward. `urgency` is the highest priority of an event or of any later one of its DID, so cutting
# by it leaves each DID a prefix. Events that wait come along too: what follows them in their DID must not run.
READ = {
    by_age: f"""
with head as materialized (
    select item.id, item.did, item.priority
    from unnest(%(lanes)s::smallint[]) as held (lane)
    cross join lateral ({candidates("held.lane", "%(limit)s")}) item
    order by {order}
    limit %(limit)s
), top as (
    select did, max(id) as id, max(priority) as priority from head group by did
), prefix as materialized (
    select item.ctid, item.id, {urgency} as urgency
    from top
    cross join lateral (
        select e.ctid, e.id, e.did, e.priority from events_event e
        where e.did = top.did and e.state = 0 and e.id + 0 <= top.id
        order by e.id + 0 limit %(limit)s
    ) item
), chosen as (
    select ctid from prefix order by urgency desc, id limit %(limit)s
), restore as materialized (
    select set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),
        set_config('enable_bitmapscan', 'on', true)
)
select {COLUMNS}
from restore, events_event e where e.ctid = any(array(select ctid from chosen))
"""
    for by_age, candidates, order, urgency in (
        (False, _ready_and_due, URGENT, INHERITED),
        (True, _oldest_of_lane, OLDEST, "0"),
    )
}

# What is not read by the rest of a statement runs after it, so the events' rows are always locked before the tally's.
COUNT = """
insert into events_tally as tally (lane, processed, failed) values (%(lane)s, %(processed)s, %(failed)s)
on conflict (lane) do update
set processed = tally.processed + excluded.processed, failed = tally.failed + excluded.failed
"""
COMPLETE = f"""
with counted as ({COUNT}), done as (
    update events_event set state = 1, attempts = attempts + 1, finished_at = clock_timestamp()
    where id = any(%(ids)s::bigint[]) and state = 0
    returning 1
)
select count(*), (extract(epoch from clock_timestamp()) * 1000000)::bigint from done
"""

# An event that failed: tried again in `wait` seconds, or dead where that is null. Beside each verdict the attempt;
# of an event's attempts the newest stay.
FAIL = f"""
with item as materialized (
    select * from json_to_recordset(%(document)s::json) as item (
        id bigint, wait float8, error text, reason text, kind text, message text, trace text
    )
), failed as (
    update events_event e set attempts = e.attempts + 1, last_error = item.error,
        reason = case when item.wait is null then item.reason else '' end,
        state = case when item.wait is null then 2 else 0 end,
        finished_at = case when item.wait is null then clock_timestamp() end,
        available_at = case when item.wait is null then e.available_at
            else clock_timestamp() + item.wait * interval '1 second' end
    from item
    where e.id = item.id and e.state = 0
    returning e.id, e.attempts
), forgotten as (
    delete from events_attempt a using failed
    where a.event_id = failed.id and a.id <= (
        select b.id from events_attempt b where b.event_id = failed.id order by b.id desc offset {KEPT - 1} limit 1)
), kept as (
    insert into events_attempt (event_id, number, at, worker, kind, message, trace)
    select failed.id, failed.attempts, clock_timestamp(), %(worker)s, item.kind, item.message, item.trace
    from failed join item on item.id = failed.id
)
select count(*) from failed
"""

POSTPONE = """
update events_event e set available_at = clock_timestamp() + interval '1 second'
where e.id = any(%s::bigint[]) and e.state = 0
"""

# What follows an event that waits, up to `limit` of its DID: as much as a read may have chosen without reaching it.
HOLD_BACK = """
update events_event e set available_at = greatest(item.until, clock_timestamp() + interval '1 second')
from json_to_recordset(%(document)s::json) as item (did text, after bigint, until timestamptz)
cross join lateral (
    select b.id from events_event b
    where b.did = item.did and b.state = 0 and not b.suspect and b.id + 0 > item.after
        and b.available_at <= greatest(now(), b.received_at)
    order by b.id + 0 limit %(limit)s
) behind
where e.id = behind.id
"""

# Where nothing of a priority is ready, everything up to the last id that was given out is behind it. An event that
# commits while this runs can be under a floor that did not see it: it is applied before that floor is used.
FLOORS = "\nunion all\n".join(
    f"select {priority}, coalesce((select min(head.id) - 1 from events_lane l cross join lateral ("
    f"select e.id from events_event e where e.lane = l.id and {READY} and e.priority = {priority}"
    f" and e.id + 0 > %(floor{priority})s order by e.id + 0 limit 1) head),"
    f" (select case when is_called then last_value else 0 end from events_event_id_seq))"
    for priority in URGENT_FIRST
)

PAUSE = 0.01  # seconds before an append is repeated that lost to a deadlock

ANY_PENDING = "select exists (select 1 from events_event where state = 0)"

LOCK_THESE = "select id from events_lane where id = any(%s::smallint[]) order by id for update skip locked"

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


@contextmanager
def cursor(connection: BaseDatabaseWrapper) -> Iterator[psycopg.Cursor[Any]]:
    """A cursor that binds on the server, so that statements can be prepared; Django's own binds in the client.

    Raises Django's database errors, as its own does.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as bare:
        yield bare


def failing_fast(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """Nothing to change: PostgreSQL's writers queue, and a deadlock fails by itself."""
    return nullcontext()


def append(connection: BaseDatabaseWrapper, document: str) -> set[str]:
    """Insert the document's events, ids in its order; the event_ids that were new."""
    with cursor(connection) as c:
        return {str(row[0]) for row in c.execute(APPEND, (document,))}


def digests(connection: BaseDatabaseWrapper, event_ids: Sequence[str]) -> dict[str, str]:
    """The content digests of those of `event_ids` that the log has."""
    with cursor(connection) as c:
        return {str(event_id): digest for event_id, digest in c.execute(DIGESTS, (array(event_ids),))}


def fence(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Let the server end the present transaction if a statement, or a silence, lasts `seconds`."""
    milliseconds = max(1, int(seconds * 1000))
    limits = {"whole": str(milliseconds), "lock": str(max(1, milliseconds // 3)), "transaction": str(milliseconds * 2)}
    with cursor(connection) as c:
        c.execute(FENCE_17 if connection.pg_version >= 170000 else FENCE, limits)  # type: ignore[attr-defined]


def lock_lanes(connection: BaseDatabaseWrapper, share: int, floors: Sequence[int], *, by_age: bool) -> list[int]:
    """Lock up to `share` lanes that have work and that nobody holds: the most urgent, or those with the oldest."""
    with cursor(connection) as c:
        return [row[0] for row in c.execute(LOCK[by_age], {"share": share, **_named(floors)})]


def read(
    connection: BaseDatabaseWrapper, lanes: Sequence[int], limit: int, floors: Sequence[int], *, by_age: bool
) -> list[tuple[Any, ...]]:
    """The next batch of the held lanes: rows as Entry takes them, then until when the event waits, or None."""
    parameters = {"lanes": array(lanes), "limit": limit, **_named(floors)}
    with cursor(connection) as c:
        return c.execute(READ[by_age], parameters).fetchall()


def lock_these(connection: BaseDatabaseWrapper, lanes: Sequence[int]) -> list[int]:
    """Lock those of `lanes` that nobody holds."""
    with cursor(connection) as c:
        return [row[0] for row in c.execute(LOCK_THESE, (array(lanes),))]


def suspects(connection: BaseDatabaseWrapper) -> list[tuple[int, int]]:
    """(id, lane) of suspects that may run now."""
    with cursor(connection) as c:
        return c.execute(SUSPECTS).fetchall()


def read_suspect(connection: BaseDatabaseWrapper, event: int) -> list[tuple[Any, ...]]:
    """The row of one suspect, if it may still run now, as `read` gives it."""
    with cursor(connection) as c:
        return c.execute(ENTRY_OF_SUSPECT, (event,)).fetchall()


def complete(connection: BaseDatabaseWrapper, ids: Sequence[int], lane: int, failed: int) -> tuple[int, int]:
    """Mark events done, and count them and `failed` attempts in the tally of a lane that is held.

    Answers how many of the events were still pending, and the time: microseconds since 1970.
    """
    parameters = {"ids": array(ids), "lane": lane, "processed": len(ids), "failed": failed}
    with cursor(connection) as c:
        row = c.execute(COMPLETE, parameters).fetchone()
    assert row is not None, "an aggregate answers one row"
    return row[0], row[1]


def count(connection: BaseDatabaseWrapper, lane: int, *, failed: int) -> None:
    """Count attempts that failed outside a step's transaction."""
    with cursor(connection) as c:
        c.execute(COUNT, {"lane": lane, "processed": 0, "failed": failed})


def fail(connection: BaseDatabaseWrapper, document: str, worker: str) -> int:
    """Record failed attempts at `worker`; how many of the events were still pending.

    A JSON list of {id, wait: seconds or null, error, reason, kind, message, trace}.
    """
    with cursor(connection) as c:
        row = c.execute(FAIL, {"document": document, "worker": worker}).fetchone()
    assert row is not None, "an aggregate answers one row"
    return int(row[0])


def postpone(connection: BaseDatabaseWrapper, ids: Iterable[int]) -> None:
    """Let events wait for a second."""
    with cursor(connection) as c:
        c.execute(POSTPONE, (array(ids),))


def hold_back(connection: BaseDatabaseWrapper, document: str, limit: int) -> int:
    """Postpone what is ready of some DIDs, a JSON list of {did, after: id, until}, up to `limit` each; how many."""
    with cursor(connection) as c:
        return c.execute(HOLD_BACK, {"document": document, "limit": limit}).rowcount


def floors(connection: BaseDatabaseWrapper, above: Sequence[int]) -> list[int]:
    """For each priority (as an index) an id below which nothing is ready, as far as can be seen from `above` up."""
    with cursor(connection) as c:
        found = dict(c.execute(FLOORS, _named(above)).fetchall())
    return [found[priority] for priority in sorted(URGENT_FIRST)]


def any_pending(connection: BaseDatabaseWrapper) -> bool:
    """Whether anything is left to do, now or later."""
    with connection.cursor() as c:
        c.execute(ANY_PENDING)
        row = c.fetchone()
    return bool(row and row[0])


def any_ready(connection: BaseDatabaseWrapper) -> bool:
    """Whether a step is worth its transaction; PostgreSQL answers that as it locks lanes."""
    return True


def entry(row: tuple[Any, ...]) -> Entry:
    """The entry of a row that `read` gave."""
    return Entry(*row[:12])


def instant(moment: datetime) -> str:
    """A moment as these statements take it."""
    return moment.isoformat()


def _named(floors: Sequence[int]) -> dict[str, int]:
    return {f"floor{priority}": floors[priority] for priority in URGENT_FIRST}


def array(values: Iterable[object]) -> str:
    # The text of an array, cast by the server: psycopg's own dumper looks at every element.
    return "{" + ",".join(map(str, values)) + "}"
