"""The journal's statements. Each takes the connection it runs on; `postgres` and `sqlite` hold what differs.

Written in the caller's transaction, read on a keeper's or a follower's own connection. Times are the database's:
hosts need not agree on theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from cachecore.journal import postgres, sqlite
from cachecore.journal.row import Row, Since
from cachecore.tags import packed

KEEP = 300.0  # seconds that a row is kept after it was performed; unperformed, until its space is given up instead
CHUNK = 5_000  # rows that one statement touches


def dialect(connection: BaseDatabaseWrapper) -> ModuleType:
    """The module with the statements for this database. Databases without one raise NotImplementedError."""
    if connection.vendor == "postgresql":
        return postgres
    if connection.vendor == "sqlite":
        return sqlite
    raise NotImplementedError("the journal of invalidations needs PostgreSQL or SQLite")


@cache
def installed() -> bool:
    """Whether this project has a journal; without one values can't be tagged."""
    return apps.is_installed("cachecore")


@cache
def database() -> str:
    """The alias of the database that holds the journal."""
    return router.db_for_write(apps.get_model("cachecore", "Invalidation")) or DEFAULT_DB_ALIAS


def write(connection: BaseDatabaseWrapper, space: str, digests: Collection[bytes]) -> int:
    """Write one row in the connection's transaction; its id."""
    row: int = dialect(connection).write(connection, space, packed(digests))
    return row


def unperformed(connection: BaseDatabaseWrapper, spaces: Collection[str], older_than: float = 0.0) -> list[Row]:
    """The rows of `spaces` that nobody is known to have performed; of the last so many seconds, none."""
    ago = dialect(connection).AGO
    # A row of the future is old too: the clock was set back.
    statement = f"""
        SELECT id, space, digests FROM cachecore_invalidation
        WHERE performed_at IS NULL AND space IN ({_marks(spaces)})
              AND (created_at <= {ago} OR created_at > {ago})
        ORDER BY id LIMIT {CHUNK}"""
    rows = _all(connection, statement, [*spaces, older_than, 0])
    return [Row.read(*row) for row in rows]


def mark(connection: BaseDatabaseWrapper, ids: Sequence[int]) -> None:
    """Note that these were performed, so that nobody does it again."""
    now = dialect(connection).AGO
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        statement = f"""
            UPDATE cachecore_invalidation SET performed_at = {now}
            WHERE performed_at IS NULL AND id IN ({_marks(some)})"""
        _do(connection, statement, [0, *some])


def rotation(connection: BaseDatabaseWrapper, spaces: Collection[str]) -> str:
    """How often each of `spaces` was given up, those that never were left out: a part of the epoch."""
    statement = f"SELECT space, number FROM cachecore_rotation WHERE space IN ({_marks(spaces)})"
    return ",".join(f"{space}={number}" for space, number in sorted(_all(connection, statement, list(spaces))))


def rotate(connection: BaseDatabaseWrapper, space: str) -> None:
    """Give up what Redis holds of `space`: every process takes on a new epoch within a second."""
    statement = """
        INSERT INTO cachecore_rotation AS kept (space, number) VALUES (%s, 1)
        ON CONFLICT (space) DO UPDATE SET number = kept.number + 1"""
    _do(connection, statement, [space])


def prune(connection: BaseDatabaseWrapper, space: str) -> None:
    """Delete what was performed long ago; a space with rows that nobody could perform for as long is given up.

    `performed_at` is set after the row was committed, so that one which committed late is still there to be read.
    """
    ago = dialect(connection).AGO
    abandoned = f"""
        UPDATE cachecore_invalidation SET performed_at = {ago}
        WHERE id IN (SELECT id FROM cachecore_invalidation
                     WHERE performed_at IS NULL AND space = %s AND created_at < {ago} LIMIT {CHUNK})
        RETURNING id"""
    with transaction.atomic(using=connection.alias):  # both or neither: rows that only look performed are lost
        if _all(connection, abandoned, [0, space, KEEP]):
            rotate(connection, space)
    performed = f"""
        DELETE FROM cachecore_invalidation
        WHERE id IN (SELECT id FROM cachecore_invalidation WHERE performed_at < {ago} LIMIT {CHUNK})"""
    while _do(connection, performed, [KEEP]) == CHUNK:
        pass


def follow(
    connection: BaseDatabaseWrapper, spaces: Collection[str], since: Since | None
) -> tuple[Since | None, list[Row]]:
    """The rows written since `since`, each once, and where to read on; with None only where to begin.

    Answers None for where to read on if the database went back in time: what is in memory is then worth nothing.
    """
    return dialect(connection).follow(connection, spaces, since)


def length(connection: BaseDatabaseWrapper, spaces: Collection[str]) -> int:
    """How many rows wait to be performed, counted up to 10,000."""
    statement = f"""
        SELECT count(*) FROM (SELECT 1 FROM cachecore_invalidation
        WHERE performed_at IS NULL AND space IN ({_marks(spaces)}) LIMIT 10000) AS waiting"""
    return int(_all(connection, statement, list(spaces))[0][0])


def _marks(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values)) or "NULL"


def _all(connection: BaseDatabaseWrapper, statement: str, parameters: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _do(connection: BaseDatabaseWrapper, statement: str, parameters: list[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
