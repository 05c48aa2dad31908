"""Events that the server makes by itself: for filling a log fast, where appending is not what is measured."""

from __future__ import annotations

import psycopg

from benchmarks.server import execute
from benchmarks.workload import DIDS
from events.lanes import did_key

PEOPLE = """
create table if not exists bench_people (id int primary key, did text not null, key bigint not null);
truncate bench_people
"""

# No-op events with a payload of the usual size. Their event_ids ascend: in a log of millions of events, random ones
# would cost the append a page of WAL each, and a drain beside it would be slowed by that.
APPEND = """
with document as materialized (
    select case when pg_current_xact_id() is not null then nextval('events_event_id_seq') end as id,
        clock_timestamp() as at, mod(n, 4) as priority, p.did, p.key
    from generate_series(1, %(events)s::int) n
    join bench_people p on p.id = mod(n * 7919 + %(shift)s::int, %(people)s::int)
), inserted as (
    insert into events_event (id, event_id, event_type, did, key, priority, payload, digest, version, received_at)
    select id, lpad(to_hex(id), 32, '0')::uuid, 'bench.noop', did, key, priority,
        format('{"uri":"at://%%s/net.rhiz.relationship.record/%%s","cid":"%%s","participants":["%%s","%%s"],'
            || '"type":"professional","strength":80,"context":"work","created_at":"2026-11-01T12:00:00Z"}',
            did, lpad(to_hex(id), 13, '0'), repeat('a', 59), did, did),
        md5(id::text)::uuid, id, at
    from document order by id
    returning id, key, priority
)
insert into events_pending (key, id, lane, priority)
select key, id, mod(mod(key, lanes.n) + lanes.n, lanes.n), priority
from inserted, (select max(id) + 1 as n from events_lane) lanes
"""


def make_people(url: str) -> int:
    """Create the table of the DIDs and keys that generated events have; return how many there are."""
    execute(url, PEOPLE)
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        with cursor.copy("copy bench_people from stdin") as copy:
            for number, did in enumerate(DIDS):
                copy.write_row((number, did, did_key(did)))
        cursor.execute("analyze bench_people")
    return len(DIDS)


class Generator:
    """Appends generated no-op events to this project's log, on one connection."""

    def __init__(self, url: str) -> None:
        self.people = make_people(url)
        self.connection = psycopg.connect(url, autocommit=True)
        self.appended = 0

    def append(self, events: int) -> None:
        """Append so many events in one transaction."""
        parameters = {"events": events, "shift": self.appended % self.people, "people": self.people}
        self.connection.execute(APPEND, parameters)
        self.appended += events

    def close(self) -> None:
        self.connection.close()
