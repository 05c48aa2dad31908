"""Draining and choosing a batch with millions of done events in the log, and without: both must cost the same."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from benchmarks.contestant import race
from benchmarks.figures import median
from benchmarks.generated import make_people
from benchmarks.ours import Ours
from benchmarks.processes import PYTHON, output_of
from benchmarks.scale import Scale
from benchmarks.server import Server, execute, row

CHUNK = 500_000
BATCH = 300
CLAIMS = 300  # a round; the first hundred do not count

# Filled without them and checked once over the whole: a minute instead of several.
UNIQUE = "select conname from pg_constraint where conrelid = 'events_event'::regclass and contype = 'u'"
DROP = "alter table events_event drop constraint {unique}", "drop index events_of_key"
RESTORE = (
    "alter table events_event add constraint {unique} unique (event_id)",
    "create index events_of_key on events_event (key, id)",
    "select setval('events_event_id_seq', (select max(id) from events_event))",
    "vacuum analyze events_event",
    "vacuum analyze events_batch",
)
EVENTS = """
insert into events_event (id, event_id, event_type, did, key, priority, payload, digest, version, received_at)
select n, gen_random_uuid(), 'bench.noop', p.did, p.key, n % 4, '{{}}', md5(n::text)::uuid, n, {at}
from generate_series({first}, {last}) n join bench_people p on p.id = n % {people}
"""
BATCHES = """
insert into events_batch (last_id, first_id, finished_at, worker, ids)
select max(n), min(n), max({at}) + interval '5 milliseconds', 'bench:1', array_agg(n)
from generate_series({first}, {last}) n group by n / {size}
"""
AT = "now() - ({events} - n) * interval '0.5 seconds'"


class OursWithHistory(Ours):
    """The project on a log that keeps its former events."""

    seed = 1

    def empty(self) -> None:
        self.seed += 1
        self.history = int(row(self.url, "select coalesce(max(id), 0) from events_event")[0])

    def fill(self, events: int) -> None:
        self.empty()
        self.add(events, self.seed)

    def forget(self) -> None:
        """Delete what was appended since the history was read last."""
        execute(
            self.url,
            f"delete from events_pending where id > {self.history}",
            f"delete from events_event where id > {self.history}",
            "vacuum analyze events_pending",
            "vacuum analyze events_event",
        )

    def fill_history(self, events: int) -> None:
        """Put `events` done events into an empty log, in batches of 300."""
        people = make_people(self.url)
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(UNIQUE).fetchone()
            assert found
            names = {"unique": found[0], "at": AT.format(events=events), "size": BATCH, "people": people}
            for statement in DROP:
                connection.execute(statement.format(**names))
            for first in range(1, events + 1, CHUNK):
                last = min(events, first + CHUNK - 1)
                connection.execute(EVENTS.format(first=first, last=last, **names))
                connection.execute(BATCHES.format(first=first, last=last, **names))
                print(f"  {last:,} done events", flush=True)
            for statement in RESTORE:
                connection.execute(statement.format(**names))


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Events per second of a no-op drain in one process, milliseconds of choosing a batch; both logs in turn."""
    empty = Ours(server.database("bench_ours"), applied=False)
    empty.prepare()
    full = OursWithHistory(server.database("bench_history"), applied=False)
    full.prepare()
    full.fill_history(scale.history)
    rates: dict[str, list[float]] = {"empty": [], "full": []}
    claims: dict[str, list[float]] = {"empty": [], "full": []}
    for _ in range(scale.rounds):
        for name, contestant in (("empty", empty), ("full", full)):
            rates[name].append(race(server, contestant, scale.drain, 1).rate)
            claims[name].append(_claim(contestant, scale.drain))
            print(f"  {name} log: {rates[name][-1]:,.0f} events/s, a claim {claims[name][-1]:.2f} ms", flush=True)
    server.drop("bench_history")
    return {
        "done events": scale.history,
        "claim ms": {name: {"runs": runs, "median": median(runs)} for name, runs in claims.items()},
        "drain": {name: {"runs": runs, "median": median(runs)} for name, runs in rates.items()},
    }


def _claim(ours: Ours, pending: int) -> float:
    """The median time to choose a batch in a deep log, in milliseconds."""
    ours.fill(pending)
    # Both logs as autovacuum leaves them: the drain before left index entries of its events in one of them.
    execute(ours.url, "vacuum analyze events_pending")
    took = json.loads(output_of([PYTHON, "-m", "benchmarks.claims", str(CLAIMS)], ours.environ()))
    if isinstance(ours, OursWithHistory):
        ours.forget()
    return median(took[100:]) * 1e3
