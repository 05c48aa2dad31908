"""The database's clock, which is the one that times of the log come from."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils import timezone


def database_now() -> datetime:
    """The time by the database's clock. SQLite's is this process's, and knows only whole seconds: it is not asked."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        ((now,),) = cursor.fetchall()
    assert isinstance(now, datetime)
    return now
