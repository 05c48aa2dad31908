"""Emptying a full queue with one and two processes: this project, the raw limit, and two peers."""

from __future__ import annotations

from typing import Any

from benchmarks.contestant import Contestant, race
from benchmarks.figures import median
from benchmarks.ours import Ours
from benchmarks.pgqueuer_peer import SETTINGS, PgQueuerPeer
from benchmarks.procrastinate_peer import CONCURRENCIES, ProcrastinatePeer
from benchmarks.raw_limit import RawLimit
from benchmarks.scale import Scale
from benchmarks.server import Server

PROCESSES = (1, 2)


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Events per second by contestant and number of processes; all contestants in turn in each round."""
    raw, ours = server.database("bench_raw"), server.database("bench_ours")
    Ours(ours, applied=False).prepare()
    pgqueuer = PgQueuerPeer(server.database("bench_pgqueuer"))
    pgqueuer.prepare()
    procrastinate = ProcrastinatePeer(server.database("bench_procrastinate"))
    procrastinate.prepare()
    tried = _tune(server, scale, pgqueuer, procrastinate)
    contestants: list[tuple[Contestant, int]] = [
        (RawLimit(raw, applied=False), scale.drain),
        (Ours(ours, applied=False), scale.drain),
        (pgqueuer, scale.drain_pgqueuer),
        (RawLimit(raw, applied=True), scale.drain),
        (Ours(ours, applied=True), scale.drain),
        (procrastinate, scale.drain_procrastinate),
    ]
    runs: dict[str, dict[str, list[float]]] = {
        contestant.name: {str(processes): [] for processes in PROCESSES} for contestant, _ in contestants
    }
    for _ in range(scale.rounds):
        for processes in PROCESSES:
            for contestant, events in contestants:
                run = race(server, contestant, events, processes)
                runs[contestant.name][str(processes)].append(run.rate)
                print(f"  {contestant.name}, {processes} process(es): {run.rate:,.0f} events/s", flush=True)
    rates = {
        name: {processes: {"runs": many, "median": median(many)} for processes, many in by_processes.items()}
        for name, by_processes in runs.items()
    }
    return {"rates": rates, "settings of the peers": tried}


def _tune(server: Server, scale: Scale, pgqueuer: PgQueuerPeer, procrastinate: ProcrastinatePeer) -> dict[str, Any]:
    """Give each peer the fastest of its settings; what was tried."""
    batches = {}
    for setting in SETTINGS:
        pgqueuer.setting = setting
        batches[setting] = race(server, pgqueuer, max(scale.tuning, 2 * setting.batch), 1).rate
    pgqueuer.setting = max(batches, key=batches.__getitem__)
    concurrencies = {}
    for concurrency in CONCURRENCIES:
        procrastinate.concurrency = concurrency
        concurrencies[concurrency] = race(server, procrastinate, scale.tuning // 8, 1).rate
    procrastinate.concurrency = max(concurrencies, key=concurrencies.__getitem__)
    print(f"  PgQueuer runs with {pgqueuer.setting}, Procrastinate with concurrency {procrastinate.concurrency}")
    return {
        "PgQueuer": {f"{setting.driver}, batches of {setting.batch}": rate for setting, rate in batches.items()},
        "Procrastinate": {f"concurrency {concurrency}": rate for concurrency, rate in concurrencies.items()},
    }
