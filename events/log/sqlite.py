"""The log's statements for SQLite: the same functions as postgres.py, on a database with one writer.

A step runs under BEGIN IMMEDIATE, which holds every lane at once; lanes are still read one by one, so that a deep
log is read along its index. A statement costs microseconds here, so what PostgreSQL does in one long statement is
a loop of short ones. The process's clock is the database's.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from events.log.entry import Entry
from events.models.attempt import KEPT
from events.syntax import microseconds

APPEND = """
insert into events_event (
    event_id, event_type, did, lane, priority, payload, digest, rev, occurred_at, version,
    state, attempts, crashes, suspect, available_at, received_at, finished_at, last_error, request_id,
    traceparent, reason
)
select replace(item.value ->> 'i', '-', ''), item.value ->> 't', item.value ->> 'd', item.value ->> 'l',
    item.value ->> 'r', item.value -> 'p', item.value ->> 'g', item.value ->> 'rev', item.value ->> 'o',
    coalesce(item.value ->> 'v', :microseconds),
    case when item.value ->> 'e' is null then 0 else 2 end, 0, 0, 0, :now, :now,
    case when item.value ->> 'e' is null then null else :now end, coalesce(item.value ->> 'e', ''),
    item.value ->> 'q', item.value ->> 'w', coalesce(item.value ->> 'n', '')
from json_each(:document) item
where true
order by item.key
on conflict (event_id) do nothing
returning event_id
"""

DIGESTS = "select event_id, digest from events_event where event_id in (select value from json_each(?))"

READY = "e.state = 0 and not e.suspect and e.available_at <= e.received_at"
DUE = "e.state = 0 and not e.suspect and e.available_at > e.received_at and e.available_at <= :now"

READY_OF_LANE = f"""
select e.id, e.did, e.priority from events_event e indexed by events_ready
where e.lane = :lane and {READY} order by e.priority desc, e.id + 0 limit :limit
"""
OLDEST_OF_LANE = f"""
select e.id, e.did, e.priority from events_event e indexed by events_ready
where e.lane = :lane and {READY} and e.priority = :priority order by e.id + 0 limit :limit
"""
DUE_OF_LANE = f"""
select e.id, e.did, e.priority from events_event e indexed by events_deferred
where e.lane = :lane and {DUE} order by e.available_at limit :limit
"""
PREFIX = """
select e.id, e.priority from events_event e indexed by events_unfinished
where e.did = :did and e.state = 0 and e.id + 0 <= :top order by e.id + 0 limit :limit
"""
COLUMNS = """e.id, e.event_id, e.event_type, e.did, e.priority, e.payload, e.version, e.rev, e.occurred_at || '',
    e.received_at || '', e.attempts, e.suspect,
    case when e.available_at > max(:now, e.received_at) then e.available_at end"""
ROWS = f"select {COLUMNS} from events_event e where e.id in (select value from json_each(:ids))"
COMPLETE = """
update events_event set state = 1, attempts = attempts + 1, finished_at = :now
where id in (select value from json_each(:ids)) and state = 0
"""
COUNT = """
insert into events_tally (lane, processed, failed) values (:lane, :processed, :failed)
on conflict (lane) do update
set processed = events_tally.processed + excluded.processed, failed = events_tally.failed + excluded.failed
"""
FAIL = """
update events_event set attempts = attempts + 1, last_error = :error, state = :state, finished_at = :finished_at,
    available_at = coalesce(:available_at, available_at), reason = :reason
where id = :id and state = 0
"""
KEEP_ATTEMPT = """
insert into events_attempt (event_id, number, at, worker, kind, message, trace)
select id, attempts, :now, :worker, :kind, :message, :trace from events_event where id = :id
"""
FORGET_ATTEMPTS = f"""
delete from events_attempt where event_id = :id and id <= (
    select id from events_attempt where event_id = :id order by id desc limit 1 offset {KEPT})
"""
POSTPONE = "update events_event set available_at = :until where id in (select value from json_each(:ids)) and state = 0"
HOLD_BACK = """
update events_event set available_at = :until where id in (
    select b.id from events_event b indexed by events_unfinished
    where b.did = :did and b.state = 0 and not b.suspect and b.id + 0 > :after
        and b.available_at <= max(:now, b.received_at)
    order by b.id + 0 limit :limit
)
"""
ANY_PENDING = "select exists (select 1 from events_event indexed by events_unfinished where state = 0)"
ANY_READY = f"""
select exists (select 1 from events_event e indexed by events_ready where {READY})
    or exists (select 1 from events_event e indexed by events_deferred where {DUE})
"""
# A suspect may run when it is the first of its DID that is not finished.
MAY_RUN = """e.state = 0 and e.suspect and e.available_at <= :now
    and not exists (select 1 from events_event b indexed by events_unfinished
        where b.did = e.did and b.state = 0 and b.id + 0 < e.id)"""
SUSPECTS = f"select e.id, e.lane from events_event e where {MAY_RUN} order by e.available_at, e.id limit 64"
ENTRY_OF_SUSPECT = f"select {COLUMNS} from events_event e where e.id = :id and {MAY_RUN}"
PRIORITIES = (3, 2, 1, 0)

PAUSE = 0.001  # seconds before an append tries again that found the file locked: a third of a worker's breath


@contextmanager
def failing_fast(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let a writer that finds the file locked fail at once instead of waiting in SQLite's own way.

    SQLite waits in growing sleeps of up to 100 ms and so misses the few milliseconds that a busy worker leaves
    between two steps: appends beside one took 700 ms at the 99th percentile.
    """
    connection.ensure_connection()
    ((patience,),) = _run(connection, "pragma busy_timeout", ())
    _run(connection, "pragma busy_timeout = 0", ())
    try:
        yield
    finally:
        if connection.connection is not None:
            _run(connection, f"pragma busy_timeout = {patience}", ())


def append(connection: BaseDatabaseWrapper, document: str) -> set[str]:
    """Insert the document's events, ids in its order; the event_ids that were new."""
    now = _now()
    rows = _run(
        connection,
        APPEND,
        {"document": document, "now": instant(now), "microseconds": int(now.timestamp() * 1_000_000)},
    )
    return {str(UUID(row[0])) for row in rows}


def digests(connection: BaseDatabaseWrapper, event_ids: Sequence[str]) -> dict[str, str]:
    """The content digests of those of `event_ids` that the log has."""
    wanted = json.dumps([UUID(event_id).hex for event_id in event_ids])
    return {str(UUID(event_id)): digest for event_id, digest in _run(connection, DIGESTS, (wanted,))}


def fence(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Nothing to fence off: a process that dies lets go of the file, and one that is stopped holds only itself up."""


def lock_lanes(connection: BaseDatabaseWrapper, share: int, floors: Sequence[int], *, by_age: bool) -> list[int]:
    """Up to `share` lanes that have work, the most urgent first (or that with the oldest): the file's lock is held."""
    heads = []
    for (lane,) in _run(connection, "select id from events_lane", ()):
        candidates = _candidates(connection, lane, 1, by_age)
        if candidates:
            heads.append((min(candidates, key=_age if by_age else _urgency), lane))
    heads.sort(key=lambda head: (_age if by_age else _urgency)(head[0]))
    return [lane for _, lane in heads[:share]]


def read(
    connection: BaseDatabaseWrapper, lanes: Sequence[int], limit: int, floors: Sequence[int], *, by_age: bool
) -> list[tuple[Any, ...]]:
    """The next batch of the held lanes: rows as `entry` takes them, then until when the event waits, or None."""
    found = [item for lane in lanes for item in _candidates(connection, lane, limit, by_age)]
    heads = heapq.nsmallest(limit, found, key=_age if by_age else _urgency)
    top: dict[str, int] = {}
    urgent: dict[str, int] = {}
    for id_, did, priority in heads:
        top[did] = max(id_, top.get(did, 0))
        urgent[did] = max(priority, urgent.get(did, 0))
    chosen: list[tuple[int, int]] = []  # (-urgency, id)
    for did, last in top.items():
        prefix = _run(connection, PREFIX, {"did": did, "top": last, "limit": limit})
        # A prefix that was cut may lack the urgent event that its DID was chosen for.
        urgency = urgent[did] if len(prefix) >= limit and not by_age else 0
        for id_, priority in reversed(prefix):
            urgency = max(urgency, 0 if by_age else priority)
            chosen.append((-urgency, id_))
    ids = json.dumps([id_ for _, id_ in heapq.nsmallest(limit, chosen)])
    return _run(connection, ROWS, {"ids": ids, "now": instant(_now())})


def lock_these(connection: BaseDatabaseWrapper, lanes: Sequence[int]) -> list[int]:
    """All of `lanes`: the file's lock is held."""
    return list(lanes)


def suspects(connection: BaseDatabaseWrapper) -> list[tuple[int, int]]:
    """(id, lane) of suspects that may run now."""
    return _run(connection, SUSPECTS, {"now": instant(_now())})


def read_suspect(connection: BaseDatabaseWrapper, event: int) -> list[tuple[Any, ...]]:
    """The row of one suspect, if it may still run now, as `read` gives it."""
    return _run(connection, ENTRY_OF_SUSPECT, {"id": event, "now": instant(_now())})


def complete(connection: BaseDatabaseWrapper, ids: Sequence[int], lane: int, failed: int) -> tuple[int, int]:
    """Mark events done, and count them and `failed` attempts in the tally of a lane that is held.

    Answers how many of the events were still pending, and the time: microseconds since 1970.
    """
    now = _now()
    done = _count(connection, COMPLETE, {"ids": json.dumps(list(ids)), "now": instant(now)})
    _count(connection, COUNT, {"lane": lane, "processed": len(ids), "failed": failed})
    return done, microseconds(now)


def count(connection: BaseDatabaseWrapper, lane: int, *, failed: int) -> None:
    """Count attempts that failed outside a step's transaction."""
    _count(connection, COUNT, {"lane": lane, "processed": 0, "failed": failed})


def fail(connection: BaseDatabaseWrapper, document: str, worker: str) -> int:
    """Record failed attempts at `worker`; how many of the events were still pending.

    A JSON list of {id, wait: seconds or null, error, reason, kind, message, trace}.
    """
    return sum(_fail(connection, item, worker) for item in json.loads(document))


def _fail(connection: BaseDatabaseWrapper, item: dict[str, Any], worker: str) -> int:
    now, wait = _now(), item["wait"]
    verdict = {
        "id": item["id"],
        "error": item["error"],
        "reason": item["reason"] if wait is None else "",
        "state": 2 if wait is None else 0,
        "finished_at": instant(now) if wait is None else None,
        "available_at": None if wait is None else instant(datetime.fromtimestamp(now.timestamp() + wait, UTC)),
    }
    if not _count(connection, FAIL, verdict):
        return 0
    told = {name: item[name] for name in ("id", "kind", "message", "trace")}
    _count(connection, KEEP_ATTEMPT, {**told, "now": instant(now), "worker": worker})
    _count(connection, FORGET_ATTEMPTS, {"id": item["id"]})
    return 1


def postpone(connection: BaseDatabaseWrapper, ids: Iterable[int]) -> None:
    """Let events wait for a second."""
    _count(connection, POSTPONE, {"ids": json.dumps(list(ids)), "until": _in_a_second()})


def hold_back(connection: BaseDatabaseWrapper, document: str, limit: int) -> int:
    """Postpone what is ready of some DIDs, a JSON list of {did, after: id, until}, up to `limit` each; how many."""
    soonest, now = _in_a_second(), instant(_now())
    return sum(
        _count(connection, HOLD_BACK, {**item, "until": max(item["until"] or "", soonest), "now": now, "limit": limit})
        for item in json.loads(document)
    )


def floors(connection: BaseDatabaseWrapper, above: Sequence[int]) -> list[int]:
    """No floors: SQLite keeps no entry of a row's former state in its indexes."""
    return [0, 0, 0, 0]


def any_pending(connection: BaseDatabaseWrapper) -> bool:
    """Whether anything is left to do, now or later."""
    return bool(_run(connection, ANY_PENDING, ())[0][0])


def any_ready(connection: BaseDatabaseWrapper) -> bool:
    """Whether a step is worth its transaction: an idle worker must not take the file's one write lock to find out."""
    return bool(_run(connection, ANY_READY, {"now": instant(_now())})[0][0])


def entry(row: tuple[Any, ...]) -> Entry:
    """The entry of a row that `read` gave."""
    id_, event_id, event_type, did, priority, payload, version, rev, occurred_at, received_at, attempts, suspect = row[
        :12
    ]
    return Entry(
        id_,
        UUID(event_id),
        event_type,
        did,
        priority,
        payload,
        version,
        rev,
        occurred_at and _microseconds(occurred_at),
        _microseconds(received_at),
        attempts,
        bool(suspect),
    )


def instant(moment: datetime) -> str:
    """A moment as Django stores it on SQLite: UTC, no zone."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))


def _microseconds(stored: str) -> int:
    return microseconds(datetime.fromisoformat(stored).replace(tzinfo=UTC))


def _now() -> datetime:
    return datetime.now(UTC)


def _in_a_second() -> str:
    return instant(datetime.fromtimestamp(_now().timestamp() + 1, UTC))


def _candidates(connection: BaseDatabaseWrapper, lane: int, limit: int, by_age: bool) -> list[tuple[int, str, int]]:
    """(id, did, priority) of the lane's first ready events, and of those that are due again."""
    parameters = {"lane": lane, "limit": limit, "now": instant(_now())}
    found: list[tuple[int, str, int]] = _run(connection, DUE_OF_LANE, parameters)
    if not by_age:
        return found + _run(connection, READY_OF_LANE, parameters)
    for priority in PRIORITIES:
        found += _run(connection, OLDEST_OF_LANE, {**parameters, "priority": priority})
    return found


def _urgency(candidate: tuple[int, str, int]) -> tuple[int, int]:
    return -candidate[2], candidate[0]


def _age(candidate: tuple[int, str, int]) -> tuple[int, int]:
    return candidate[0], 0


def _run(connection: BaseDatabaseWrapper, sql: str, parameters: Any) -> list[Any]:
    # sqlite3's own cursor: Django's rewrites every statement's placeholders in Python, and a step runs hundreds.
    connection.ensure_connection()
    with connection.wrap_database_errors:
        rows: list[Any] = sqlite3.Cursor(connection.connection).execute(sql, parameters).fetchall()
    return rows


def _count(connection: BaseDatabaseWrapper, sql: str, parameters: Any) -> int:
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return sqlite3.Cursor(connection.connection).execute(sql, parameters).rowcount
