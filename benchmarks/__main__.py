"""`python -m benchmarks`: measure, print, and write a result file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import (
    append,
    cache,
    concurrency,
    drain,
    endtoend,
    endurance,
    history,
    intake,
    latency,
    memory,
    report,
    sqlite,
    wal,
)
from benchmarks.machine import describe
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.server import Server
from tests.servers import postgresql

PARTS: dict[str, Callable[[Server, Scale], dict[str, Any]]] = {
    "append": append.measure,
    "drain": drain.measure,
    "concurrency": concurrency.measure,
    "latency": latency.measure,
    "wal": wal.measure,
    "intake": intake.measure,
    "endtoend": endtoend.measure,
    "history": history.measure,
    "sqlite": sqlite.measure,
    "memory": memory.measure,
    "cache": cache.measure,
    "endurance": endurance.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which to measure: {', '.join(PARTS)}; all if none")
    parser.add_argument("--quick", action="store_true", help="small numbers: only to see that everything works")
    parser.add_argument("--rounds", type=int, help="repetitions; the median counts (3; 1 with --quick)")
    parser.add_argument(
        "--before", type=Path, metavar="PATH", help="a checkout of an older commit: its SQLite drain is the reference"
    )
    parser.add_argument("--server", metavar="URL", help="a PostgreSQL to measure on (bench_* databases are made anew)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    scale = QUICK if options.quick else FULL
    scale = replace(scale, rounds=options.rounds or scale.rounds, before=options.before)
    begun = time.monotonic()
    with _server(options.server) as server:
        machine = describe(server)
        figures = {}
        for name in options.parts or PARTS:
            start = time.monotonic()
            print(f"{name} ...", flush=True)
            figures[name] = PARTS[name](server, scale)
            print(f"  {time.monotonic() - start:.0f} s", flush=True)
    path = report.write(figures, machine, time.monotonic() - begun, quick=options.quick)
    print(report.text(figures))
    print(f"\nwritten to {path}")


@contextmanager
def _server(url: str | None) -> Iterator[Server]:
    """Yield the server at `url`, or else a fresh one that lives as long as the block."""
    if url:
        yield Server(url)
    else:
        with postgresql() as own:
            yield Server(own)


if __name__ == "__main__":
    main()
