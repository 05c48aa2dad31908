"""COPY into the log's own tables, with their indexes: PostgreSQL's fastest way to take rows in.

The rows are events that were appended, written out and taken in again, so that only COPY and COMMIT are timed.
"""

from __future__ import annotations

import time

import psycopg

from benchmarks.ours import Ours
from benchmarks.server import Server


def copy_rate(server: Server, ours: Ours, events: int, batch: int) -> float:
    """Events a second on one connection, `batch` of them in a transaction, each with its pending row."""
    ours.fill(events)
    tables = (ours.log, ours.table)
    with psycopg.connect(ours.url, autocommit=True) as connection, connection.cursor() as c:
        rows: dict[str, list[bytes]] = {}
        for table in tables:
            with c.copy(f"copy (select * from {table} order by id) to stdout") as out:
                rows[table] = [bytes(row) for row in out]
        ours.empty()
        server.checkpoint()
        began = time.perf_counter()
        for start in range(0, events, batch):
            with connection.transaction():
                for table in tables:
                    with c.copy(f"copy {table} from stdin") as into:
                        into.write(b"".join(rows[table][start : start + batch]))
        return events / (time.perf_counter() - began)
