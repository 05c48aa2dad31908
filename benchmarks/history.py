"""Claiming and draining with millions of done events in the log, and without: a claim must cost the same."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from benchmarks.contestant import race
from benchmarks.figures import median
from benchmarks.ours import Ours
from benchmarks.processes import PYTHON, output_of
from benchmarks.scale import Scale
from benchmarks.server import Server, execute, row

CHUNK = 500_000
CLAIMS = 300  # a round; the first hundred do not count
UNIQUE = "select conname from pg_constraint where conrelid = 'events_event'::regclass and contype = 'u'"
FILL = """
insert into events_event (event_id, event_type, did, lane, priority, payload, digest, version, state, attempts,
    crashes, suspect, available_at, received_at, finished_at, last_error)
select gen_random_uuid(), 'bench.noop', 'did:plc:' || lpad((n % 6000)::text, 24, '0'), n % 64, n % 4, '{{}}',
    md5(n::text), n, 1, 1, 0, false, at, at, at + interval '5 milliseconds', ''
from generate_series({first}, {last}) n, lateral (select now() - n * interval '0.5 seconds' as at) moment
"""


class OursWithHistory(Ours):
    """The project on a log whose former events stay where they are."""

    seed = 1

    def empty(self) -> None:
        self.seed += 1
        self.history = int(row(self.url, "select coalesce(max(id), 0) from events_event")[0])

    def fill(self, events: int) -> None:
        self.empty()
        self.add(events, self.seed)

    def fill_history(self, events: int) -> None:
        """Put `events` done events into the log."""
        unique = _unique_constraint(self.url)
        # Checked once over the whole instead of row by row: a minute instead of several.
        execute(self.url, f"alter table events_event drop constraint {unique}")
        for first in range(1, events + 1, CHUNK):
            execute(self.url, FILL.format(first=first, last=min(events, first + CHUNK - 1)))
            print(f"  {min(events, first + CHUNK - 1):,} done events", flush=True)
        execute(
            self.url,
            f"alter table events_event add constraint {unique} unique (event_id)",
            "vacuum analyze events_event",
        )


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Milliseconds of a claim, events per second of a no-op drain in one process, with and without history, in turn."""
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
            print(f"  {name} log: a claim {claims[name][-1]:.2f} ms, {rates[name][-1]:,.0f} events/s", flush=True)
    server.drop("bench_history")
    return {
        "done events": scale.history,
        "claim ms": {name: {"runs": runs, "median": median(runs)} for name, runs in claims.items()},
        "drain": {name: {"runs": runs, "median": median(runs)} for name, runs in rates.items()},
    }


def _claim(ours: Ours, pending: int) -> float:
    """The median of claims from a deep log, in milliseconds."""
    ours.fill(pending)
    # Both logs as autovacuum leaves them: the race before left index entries of its events in one of them.
    execute(ours.url, "vacuum analyze events_event")
    took = json.loads(output_of([PYTHON, "-m", "benchmarks.claims", str(CLAIMS)], ours.environ()))
    if isinstance(ours, OursWithHistory):
        execute(ours.url, f"delete from events_event where id > {ours.history}", "vacuum analyze events_event")
    return median(took[100:]) * 1e3


def _unique_constraint(url: str) -> str:
    with psycopg.connect(url) as connection:
        found = connection.execute(UNIQUE).fetchone()
    assert found
    return str(found[0])
