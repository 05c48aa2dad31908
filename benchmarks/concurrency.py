"""How many batches at once a worker process should run."""

from __future__ import annotations

from typing import Any

from benchmarks.contestant import race
from benchmarks.figures import median
from benchmarks.ours import Ours, OursWithConcurrency
from benchmarks.scale import Scale
from benchmarks.server import Server

CONCURRENCIES = (1, 2, 4, 10)
PROCESSES = (1, 2)


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Drain events per second, by kind of event and concurrency, then by number of processes; all in turn."""
    url = server.database("bench_ours")
    Ours(url, applied=True).prepare()
    runs: dict[str, dict[str, dict[str, list[float]]]] = {}
    for _ in range(scale.rounds):
        for applied in (False, True):
            contestants: dict[str, Ours] = {
                str(number): OursWithConcurrency(url, number, applied=applied) for number in CONCURRENCIES
            }
            for processes in PROCESSES:
                for concurrency, ours in contestants.items():
                    run = race(server, ours, scale.concurrency, processes)
                    by_processes = runs.setdefault(ours.name, {}).setdefault(concurrency, {})
                    by_processes.setdefault(str(processes), []).append(run.rate)
                    shown = f"{ours.name}, concurrency {concurrency}, {processes} process(es)"
                    print(f"  {shown}: {run.rate:,.0f} events/s", flush=True)
    return {
        kind: {
            concurrency: {processes: {"runs": many, "median": median(many)} for processes, many in found.items()}
            for concurrency, found in by_concurrency.items()
        }
        for kind, by_concurrency in runs.items()
    }
