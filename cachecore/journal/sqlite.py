"""The journal on SQLite, which has one writer at a time: rows commit in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection

from django.db.backends.base.base import BaseDatabaseWrapper

from cachecore.journal.row import Row, Since

_NOW = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now'"
AGO = f"{_NOW}, '-' || %s || ' seconds')"

INSERT = f"""
    INSERT INTO cachecore_invalidation (space, digests, created_at) VALUES (%s, %s, {_NOW}))
    RETURNING id"""


def write(connection: BaseDatabaseWrapper, space: str, digests: bytes) -> int:
    """See `cachecore.journal.write`."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [space, digests])
        return int(cursor.fetchone()[0])


def follow(
    connection: BaseDatabaseWrapper, spaces: Collection[str], since: Since | None
) -> tuple[Since | None, list[Row]]:
    """See `cachecore.journal.follow`. The cursor is the last id; ids are never given out twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'cachecore_invalidation'")
        last = int(cursor.fetchone()[0])
        if since is None:
            return Since(last), []
        if last < since.cursor:
            return None, []  # the file was replaced by an older one
        marks = ", ".join(["%s"] * len(spaces))
        cursor.execute(
            f"SELECT id, space, digests FROM cachecore_invalidation WHERE id > %s AND id <= %s AND space IN ({marks})",
            [since.cursor, last, *spaces],
        )
        return Since(last), [Row.read(*columns) for columns in cursor.fetchall()]


def may_store(connection: BaseDatabaseWrapper) -> bool:
    """Whether what a transaction reads is what everyone reads: never, it has a snapshot."""
    return False
