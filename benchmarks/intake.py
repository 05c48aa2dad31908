"""Events taken in over HTTP: single ones by ours and the peers, batches beside COPY, and both beside a busy worker."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

from benchmarks.copying import copy_rate
from benchmarks.figures import medians
from benchmarks.intake_doors import Door, doors
from benchmarks.ours import Ours
from benchmarks.processes import PYTHON, BenchmarkError, output_of, running
from benchmarks.scale import Scale
from benchmarks.server import Server

CONNECTIONS = (1, 32, 256)
BATCH, BATCH_CONNECTIONS = 500, 4
FASTEST_SINGLES, FASTEST_BATCHES = 15_000, 60_000  # events a second that are made beforehand

Run = dict[str, float]


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Events a second and latencies in milliseconds, of all in turn in each round; medians over the rounds."""
    ours = Ours(server.database("bench_ours"), applied=True)
    ours.prepare()
    contestants = doors(ours)
    runs: dict[str, dict[str, list[Run]]] = {}
    for _ in range(scale.rounds):
        for connections in CONNECTIONS:
            for door in contestants:
                found = _singles(server, door, connections, scale.intake_seconds)
                _note(runs, f"{connections} connections", door.name, found)
        copied = copy_rate(server, ours, scale.append, BATCH)
        _note(runs, "batches of 500", "COPY", {"rate": round(copied)})
        _note(runs, "batches of 500", "rhiz", _batches(server, contestants[0], scale.intake_seconds))
        busy = _singles(server, contestants[0], 32, scale.intake_seconds, worker=True)
        _note(runs, "beside a busy worker", "32 connections", busy)
        busy = _batches(server, contestants[0], scale.intake_seconds, worker=True)
        _note(runs, "beside a busy worker", "batches of 500", busy)
    return {
        part: {name: {"runs": many, **medians(many)} for name, many in by_name.items()}
        for part, by_name in runs.items()
    }


def _singles(server: Server, door: Door, connections: int, seconds: float, *, worker: bool = False) -> Run:
    return _run(server, door, connections, seconds, 1, int(FASTEST_SINGLES * (seconds + 2)), worker)


def _batches(server: Server, door: Door, seconds: float, *, worker: bool = False) -> Run:
    return _run(server, door, BATCH_CONNECTIONS, seconds, BATCH, int(FASTEST_BATCHES * (seconds + 2)), worker)


def _run(server: Server, door: Door, connections: int, seconds: float, batch: int, count: int, worker: bool) -> Run:
    """Load one server for `seconds`. Raises BenchmarkError if it refuses something or loses what it answered."""
    door.empty()
    server.checkpoint()
    load = [PYTHON, "-m", "benchmarks.http_load"]
    ours = door.ours
    applying = running(ours.follow_command(), ours.environ()) if worker else nullcontext()
    with door.serving() as address, applying:
        arguments = map(str, (address, connections, seconds, batch, count))
        found = json.loads(output_of([*load, *arguments], ours.environ()))
    if found["refused"]:
        raise BenchmarkError(f"{door.name} refused: {found['refused']}")
    if door.table and door.kept() != found["answered"] * batch:
        raise BenchmarkError(f"{door.name} answered {found['answered'] * batch} events and holds {door.kept()}")
    took = found["latencies"]
    return {"rate": round(found["requests"] * batch / seconds), **{p: took[p] for p in ("p50", "p95", "p99", "max")}}


def _note(runs: dict[str, dict[str, list[Run]]], part: str, name: str, run: Run) -> None:
    runs.setdefault(part, {}).setdefault(name, []).append(run)
    print(f"  {part}, {name}: {', '.join(f'{key} {value:,}' for key, value in run.items())}", flush=True)
