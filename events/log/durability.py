"""Whether what the database says is committed survives a crash of its host."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

NEEDED = ("fsync", "synchronous_commit", "full_page_writes")


def not_durable(connection: BaseDatabaseWrapper) -> list[str]:
    """The database's settings that let it lose what it has acknowledged; empty if it loses nothing."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("pragma synchronous")
            ((synchronous,),) = cursor.fetchall()
            return [] if synchronous >= 2 else ["synchronous"]
        cursor.execute("select name from pg_settings where name = any(%s) and setting = 'off'", [list(NEEDED)])
        return sorted(name for (name,) in cursor.fetchall())
