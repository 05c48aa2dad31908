"""Procrastinate as a contestant, doing nothing with its jobs.

    python -m benchmarks.procrastinate_peer URL CONCURRENCY

is its worker process.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import psycopg
import uvloop
from procrastinate import App, PsycopgConnector

from benchmarks import workload
from benchmarks.processes import PYTHON, environment

# Jobs at once in a process. Tried out before the race; the fastest of them runs.
CONCURRENCIES = [5, 20, 60]


def application(url: str, connections: int = 4) -> App:
    """An app with one task, which does nothing."""
    app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=connections))

    @app.task(name="noop", queue="bench")
    async def noop(**payload: Any) -> None:
        """Do nothing."""

    return app


class ProcrastinatePeer:
    """Procrastinate on one database."""

    table = "procrastinate_jobs"
    finished = "select count(*), extract(epoch from max(at)) from procrastinate_events where type = 'succeeded'"

    def __init__(self, url: str, concurrency: int = CONCURRENCIES[0]) -> None:
        self.url = url
        self.concurrency = concurrency
        self.name = "Procrastinate, no-op"

    def prepare(self) -> None:
        """Install its tables."""
        asyncio.run(self._prepare())

    def fill(self, events: int) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("truncate procrastinate_jobs, procrastinate_events, procrastinate_workers cascade")
        asyncio.run(self._fill(events))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("analyze procrastinate_jobs")

    def command(self) -> list[str]:
        return [PYTHON, "-m", "benchmarks.procrastinate_peer", self.url, str(self.concurrency)]

    def environ(self) -> dict[str, str]:
        return environment()

    async def _prepare(self) -> None:
        async with application(self.url).open_async() as app:
            await app.schema_manager.apply_schema_async()

    async def _fill(self, events: int) -> None:
        made = [event["payload"] for event in workload.events(events)]
        async with application(self.url).open_async() as app:
            for start in range(0, events, 500):
                await app.tasks["noop"].batch_defer_async(*made[start : start + 500])


async def work(url: str, concurrency: int) -> None:
    """Run until the queue is empty."""
    async with application(url, connections=concurrency + 2).open_async() as app:
        await app.run_worker_async(queues=["bench"], concurrency=concurrency, wait=False, listen_notify=False)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    uvloop.run(work(sys.argv[1], int(sys.argv[2])))
