"""PgQueuer as a contestant, doing nothing with its jobs.

    python -m benchmarks.pgqueuer_peer URL DRIVER BATCH

is its worker process, on uvloop as its own command line runs it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from typing import NamedTuple

import asyncpg
import psycopg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

from benchmarks import workload
from benchmarks.processes import PYTHON, environment

ENTRYPOINT = "noop"


class Setting(NamedTuple):
    """How its worker runs."""

    driver: str  # asyncpg or psycopg
    batch: int  # jobs taken at once


# Tried out before the race; the fastest of them runs.
SETTINGS = [
    Setting("asyncpg", 100),
    Setting("asyncpg", 250),
    Setting("asyncpg", 500),
    Setting("asyncpg", 1_000),
    Setting("psycopg", 250),
]


class PgQueuerPeer:
    """PgQueuer on one database, all its tables logged (its default)."""

    table = "pgqueuer"
    finished = "select count(*), extract(epoch from max(created)) from pgqueuer_log where status = 'successful'"

    def __init__(self, url: str, setting: Setting = SETTINGS[0]) -> None:
        self.url = url
        self.setting = setting
        self.name = "PgQueuer, no-op"

    def prepare(self) -> None:
        """Install its tables, with the autovacuum settings that it recommends."""
        asyncio.run(self._prepare())

    def fill(self, events: int) -> None:
        asyncio.run(self._fill(events))

    def command(self) -> list[str]:
        driver, batch = self.setting
        return [PYTHON, "-m", "benchmarks.pgqueuer_peer", self.url, driver, str(batch)]

    def environ(self) -> dict[str, str]:
        return environment()

    async def _prepare(self) -> None:
        connection = await asyncpg.connect(self.url)
        queries = Queries(AsyncpgDriver(connection))
        await queries.install()
        await queries.optimize_autovacuum()
        await connection.close()

    async def _fill(self, events: int) -> None:
        connection = await asyncpg.connect(self.url)
        queries = Queries(AsyncpgDriver(connection))
        await connection.execute("truncate pgqueuer, pgqueuer_log")
        made = list(workload.events(events))
        for start in range(0, events, 1_000):
            batch = made[start : start + 1_000]
            payloads: list[bytes | None] = [json.dumps(event["payload"]).encode() for event in batch]
            await queries.enqueue([ENTRYPOINT] * len(batch), payloads, [event["priority"] for event in batch])
        await connection.execute("analyze pgqueuer")
        await connection.close()


async def work(url: str, setting: Setting) -> None:
    """Run until the queue is empty."""
    if setting.driver == "asyncpg":
        pgq = PgQueuer.from_asyncpg_connection(await asyncpg.connect(url))
    else:
        pgq = PgQueuer.from_psycopg_connection(await psycopg.AsyncConnection.connect(url, autocommit=True))
    manager: QueueManager = pgq.qm

    @manager.entrypoint(ENTRYPOINT)
    async def noop(job: Job) -> None:
        """Do nothing."""

    # Folding its log into statistics is for its dashboard: left out, to its advantage.
    await manager.run(
        batch_size=setting.batch, mode=QueueExecutionMode.drain, log_aggregation_interval=timedelta(seconds=0)
    )


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1], Setting(sys.argv[2], int(sys.argv[3]))))
