"""The PostgreSQL that is measured on: a fresh one, with a database for each contestant."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql


class Server:
    """A PostgreSQL server by the URL of one of its databases, as a superuser."""

    def __init__(self, url: str) -> None:
        self.url = url

    def database(self, name: str) -> str:
        """The URL of a database with this name, made anew and empty."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=f"/{name}"))

    def drop(self, name: str) -> None:
        """Remove a database, and give its room back."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def checkpoint(self) -> None:
        """Write everything out, so that a run does not pay for what was before it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("checkpoint")

    def wal_position(self) -> int:
        """How many bytes of WAL were written so far."""
        return int(row(self.url, "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")[0])

    def cpu_seconds(self) -> float:
        """The CPU time of the server so far: of its processes, and of those that have ended.

        Raises psutil.NoSuchProcess where the server runs on another machine.
        """
        with psycopg.connect(self.url, autocommit=True) as connection:
            postmaster = psutil.Process(psutil.Process(connection.info.backend_pid).ppid())
            ended = postmaster.cpu_times()
            alive = sum(cpu_seconds(process) for process in [postmaster, *postmaster.children(recursive=True)])
        return alive + float(ended.children_user + ended.children_system)

    def settings(self) -> dict[str, str]:
        """Version, and the settings that decide about durability and speed."""
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")
        with psycopg.connect(self.url, autocommit=True) as connection:
            rows = [connection.execute("select current_setting(%s)", (name,)).fetchone() for name in names]
        return {name: str(row[0]) for name, row in zip(names, rows, strict=True) if row}


def cpu_seconds(process: psutil.Process) -> float:
    """The CPU time of one process so far; 0 if it has ended."""
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system)


def execute(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def row(url: str, query: str) -> tuple[float, ...]:
    """The one row of `query`, as numbers; what is null is 0."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(query).fetchone()
    return tuple(float(value or 0) for value in found or ())
