"""COPY into the log's own table, with its indexes: the fastest way that PostgreSQL has of taking rows in.

The rows are events that were appended, written out and taken in again, so that only COPY and COMMIT are timed.
"""

from __future__ import annotations

import time

import psycopg

from benchmarks.ours import Ours
from benchmarks.server import Server


def copy_rate(server: Server, ours: Ours, events: int, batch: int) -> float:
    """Events a second on one connection, `batch` of them in a transaction."""
    ours.fill(events)
    with psycopg.connect(ours.url, autocommit=True) as connection, connection.cursor() as c:
        with c.copy(f"copy {ours.table} to stdout") as out:
            rows = [bytes(row) for row in out]
        ours.empty()
        server.checkpoint()
        began = time.perf_counter()
        for start in range(0, events, batch):
            with c.copy(f"copy {ours.table} from stdin") as into:
                into.write(b"".join(rows[start : start + batch]))
        return events / (time.perf_counter() - began)
