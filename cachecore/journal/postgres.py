"""The journal on PostgreSQL 14 and later."""

from __future__ import annotations

from collections.abc import Collection

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from cachecore.journal.row import Row, Since

AGO = "clock_timestamp() - make_interval(secs => %s)"

INSERT = """
    INSERT INTO cachecore_invalidation (space, digests, created_at, transaction)
    VALUES (%s, %s, clock_timestamp(), pg_current_xact_id()::text::bigint)
    RETURNING id"""

# Rows commit in another order than their ids. Whatever commits after this snapshot was written by a transaction that
# is at least the snapshot's xmin, so the next reading begins there; what it has seen of that already, it knows by id.
FOLLOW = """
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, id, space, digests
    FROM (SELECT 1) AS always
    LEFT JOIN cachecore_invalidation ON transaction >= %s AND space = ANY(%s)"""

HAS_WRITTEN = """
    SELECT pg_current_xact_id_if_assigned() IS NOT NULL OR current_setting('transaction_isolation') <> 'read committed'
"""


def write(connection: BaseDatabaseWrapper, space: str, digests: bytes) -> int:
    """See `cachecore.journal.write`. Bound on the server and prepared, unlike by Django's cursor: half the time."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        [[row]] = cursor.execute(INSERT, [space, digests], prepare=True).fetchall()
    return int(row)


def follow(
    connection: BaseDatabaseWrapper, spaces: Collection[str], since: Since | None
) -> tuple[Since | None, list[Row]]:
    """See `cachecore.journal.follow`. The cursor is a transaction's id; these do not wrap around."""
    start = since.cursor if since is not None else None
    with connection.cursor() as cursor:
        if start is None:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            start = int(cursor.fetchone()[0])
        cursor.execute(FOLLOW, [start, list(spaces)])
        found = cursor.fetchall()
    xmin = int(found[0][0])
    if since is not None and xmin < since.cursor:
        return None, []  # a replica that missed transactions was promoted, or a backup was put in place
    rows = [Row.read(*columns) for _, *columns in found if columns[0] is not None]
    known = since.seen if since is not None else frozenset(row.id for row in rows)
    return Since(xmin, frozenset(row.id for row in rows)), [row for row in rows if row.id not in known]


def may_store(connection: BaseDatabaseWrapper) -> bool:
    """Whether what a transaction reads is what everyone reads: nothing written yet, and no old snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(HAS_WRITTEN)
        return not cursor.fetchone()[0]
