"""From a client's send to applied: single POSTs at a held rate to one uvicorn process, with one worker beside it.

Client, web server, worker and PostgreSQL share the machine and its clock. A time begins when the client sends the
event, or would have sent it had a connection been idle, and ends with its batch's `finished_at`.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.figures import latencies, medians
from benchmarks.http_load import WARM_UP
from benchmarks.intake_doors import Door, doors
from benchmarks.latency import SETTLING, sessions
from benchmarks.ours import Ours
from benchmarks.processes import PYTHON, BenchmarkError, output_of, running, wait_until
from benchmarks.scale import Scale
from benchmarks.server import Server, row

RATE = 7_000  # events per second
CONNECTIONS = (32, 256)
FINISHED = """select e.event_id::text, extract(epoch from b.finished_at)::float8
 from events_batch b cross join unnest(coalesce(b.ids, array[b.last_id])) as done (id)
 join events_event e on e.id = done.id"""

Run = dict[str, float]


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """p50, p95 and p99 in milliseconds and the rate that was held, by connections; medians over the rounds."""
    ours = Ours(server.database("bench_ours"), applied=True)
    ours.prepare()
    [door, *_] = doors(ours)
    runs: dict[str, list[Run]] = {}
    for _ in range(scale.rounds):
        for connections in CONNECTIONS:
            name = f"{connections} connections"
            run = _run(server, door, connections, scale.end_to_end_seconds)
            runs.setdefault(name, []).append(run)
            print(f"  {name}: {', '.join(f'{key} {value:,}' for key, value in run.items())}", flush=True)
    return {name: {"runs": many, **medians(many)} for name, many in runs.items()}


def _run(server: Server, door: Door, connections: int, seconds: float) -> Run:
    ours = door.ours
    door.empty()
    server.checkpoint()
    events = int(RATE * (WARM_UP + seconds))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, door.serving() as address:
        file = Path(folder) / "sent"
        with running(ours.follow_command(), ours.environ()):
            wait_until(lambda: sessions(ours.url) > 0, 30, "the worker's connection")
            time.sleep(SETTLING)
            load = [PYTHON, "-m", "benchmarks.held_load", address, connections, RATE, WARM_UP + seconds, file]
            found = json.loads(output_of(list(map(str, load)), ours.environ()))
            if found["refused"]:
                raise BenchmarkError(f"refused: {found['refused']}")
            wait_until(lambda: row(ours.url, ours.finished)[0] >= events, 60, "everything applied")
        sent = {id_: float(at) for id_, at in map(str.split, file.read_text().splitlines())}
    took = latencies(_seconds(ours, sent))
    return {
        **{name: took[name] for name in ("count", "p50", "p95", "p99", "max")},
        **{name: found[name] for name in ("rate", "found no idle connection", "generator late ms")},
    }


def _seconds(ours: Ours, sent: dict[str, float]) -> list[float]:
    """From sending to applied, of the events after the warm-up."""
    with psycopg.connect(ours.url) as connection:
        finished = connection.execute(FINISHED).fetchall()
    if len(finished) != len(sent):
        raise BenchmarkError(f"{len(sent)} events were sent and {len(finished)} applied")
    begins = min(sent.values()) + WARM_UP
    return [at - sent[id_] for id_, at in finished if sent[id_] >= begins]
