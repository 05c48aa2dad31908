"""Whatever is measured emptying a queue, and the race itself: the same for all.

The queue is filled first. Its table is then locked, so that worker processes start, connect, and wait at their first
look for work. When all of them wait, the lock is released and the clock of the server is read. It stops at the last
completion that the database records. Starting and ending processes are not in the figure.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import psycopg

from benchmarks.processes import BenchmarkError, running, wait_for_end, wait_until
from benchmarks.server import Server, row

START = 30.0  # seconds that processes have to start
SLOWEST = 50.0  # events a second, below which a run is given up


class Contestant(Protocol):
    """One way to work off a queue in a PostgreSQL database."""

    name: str
    url: str  # of its database
    table: str  # in which its workers look for work

    @property
    def finished(self) -> str:
        """A query: the number of events completed, and the time of the last, in seconds since 1970."""

    def fill(self, events: int) -> None:
        """Empty the queue and put `events` into it."""

    def command(self) -> list[str]:
        """The command of a worker process that ends when the queue is empty."""

    def environ(self) -> dict[str, str]:
        """The environment of its worker processes."""


@dataclass(frozen=True)
class Race:
    """One run. `rate` is in events per second."""

    name: str
    processes: int
    events: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


def race(server: Server, contestant: Contestant, events: int, processes: int) -> Race:
    """Fill the queue, and let `processes` empty it."""
    contestant.fill(events)
    server.checkpoint()
    with gate(contestant, contestant.command(), processes) as (opened, started):
        begun = _now(opened)
        opened.commit()
        wait_for_end(started, START + events / SLOWEST)
    count, last = row(contestant.url, contestant.finished)
    if count != events:
        raise BenchmarkError(f"{contestant.name} completed {count:.0f} of {events} events")
    return Race(contestant.name, processes, events, last - begun)


@contextmanager
def gate(
    contestant: Contestant, command: list[str], processes: int
) -> Iterator[tuple[psycopg.Connection, list[subprocess.Popen[bytes]]]]:
    """Start `processes` that wait for the table, locked by the connection that is yielded: its commit starts them."""
    with psycopg.connect(contestant.url) as connection:
        connection.execute(f"lock table {contestant.table} in access exclusive mode")
        with running(command, contestant.environ(), processes) as started:
            wait_until(lambda: _waiting(contestant) >= processes, START, f"{contestant.name}: workers at the gate")
            yield connection, started


def _now(connection: psycopg.Connection) -> float:
    found = connection.execute("select extract(epoch from clock_timestamp())").fetchone()
    assert found
    return float(found[0])


def _waiting(contestant: Contestant) -> int:
    """How many sessions wait for the table."""
    query = f"select count(distinct pid) from pg_locks where not granted and relation = '{contestant.table}'::regclass"
    return int(row(contestant.url, query)[0])
