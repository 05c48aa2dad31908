"""A log of many events, made in a few statements on either database: applied ones, dead letters, and pending ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from events.lanes import did_key
from tests.events.states import DIGEST

DIALECTS = {
    "postgresql": {
        "uuid": "gen_random_uuid()",
        "received": "clock_timestamp() - (%(number)s - n.n) * interval '0.4 s'",
        "died": "e.received_at - e.version * interval '1 ms'",
        "ids": "array_agg(id order by id)",
    },
    "sqlite": {
        "uuid": "lower(hex(randomblob(16)))",
        "received": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', ((n.n - %(number)s) * 0.4) || ' seconds')",
        "died": "e.received_at",
        "ids": "json_group_array(id)",
    },
}
DIDS = "create temporary table filled (n integer primary key, did varchar(2048), key bigint)"
# The number of an event stands in its version: the other statements go by it.
EVENTS = """
with recursive n (n) as (select 1 union all select n.n + 1 from n where n.n < %(number)s)
insert into events_event (event_id, event_type, did, key, priority, payload, digest, version, received_at)
select {uuid}, 'test.' || case when %(types)s > 1 then cast(n.n %% %(types)s as text) else 'record' end, d.did, d.key,
    n.n %% 4, '{{"uri":"at://' || d.did || '/net.rhiz.test/' || n.n || '"}}', %(digest)s, n.n, {received}
from n join filled d on d.n = n.n %% %(dids)s
order by n.n
"""
DEAD = """
insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, note)
select e.id, e.event_type, e.did,
    'ValueError: # of kind ' || substr('ABCDEFGHIJKLMNOPQRST', 1 + cast(e.version / %(every)s %% 20 as integer), 1),
    %(trace)s || e.version, 4, {died}, ''
from events_event e where e.version %% %(every)s = 0 and e.version <= %(ended)s
"""
PENDING = """
insert into events_pending (key, id, lane, priority)
select e.key, e.id, ((e.key %% l.n) + l.n) %% l.n, e.priority
from events_event e, (select max(id) + 1 as n from events_lane) l where e.version > %(ended)s
"""
DONE = """
insert into events_batch (last_id, first_id, finished_at, worker, ids)
select max(id), min(id), max(received_at), 'host:1', {ids}
from events_event e where e.version %% %(every)s <> 0 and e.version <= %(ended)s group by e.version / %(batch)s
"""


def fill(
    number: int, dids: Sequence[str], *, dead_every: int = 0, pending: int = 0, types: int = 1, batch: int = 300
) -> None:
    """Append `number` events of these DIDs in turn to an empty log; the last `pending` of them are.

    Of the others each `dead_every`-th is a dead letter, of twenty reasons; the rest are done, in batches of `batch`.
    The events are of `types` types: `test.0` and so on, or `test.record` alone.
    """
    parameters: dict[str, Any] = {
        "number": number,
        "types": types,
        "dids": len(dids),
        "every": dead_every or number + 1,
        "ended": number - pending,
        "batch": batch,
        "digest": DIGEST,
        "trace": f"Traceback{' ...' * 200}\nValueError: ",
    }
    dialect = DIALECTS[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(DIDS)
        rows = [(n, did, did_key(did)) for n, did in enumerate(dids)]
        cursor.executemany("insert into filled values (%s, %s, %s)", rows)
        for statement in (EVENTS, DEAD, PENDING, DONE):
            cursor.execute(statement.format(**dialect), parameters)
        cursor.execute("drop table filled")
