"""A sampler's own database connection, and what the server says of all of them."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

# Seconds that the network may leave a sampler's question unacknowledged, or its connection unmade. A host that
# vanished then counts as failed soon, and a new connection is tried, where others wait for longer on purpose.
VANISHED = 2

OVERVIEW = """
select count(*), extract(epoch from clock_timestamp() - min(xact_start) filter (where pid <> pg_backend_pid())),
    current_setting('max_connections')::int
from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
"""


def own() -> None:
    """Give this thread a connection outside the pool: a pool used up by load must not look like a dead database."""
    connection = connections["default"].copy()
    options = connection.settings_dict.get("OPTIONS", {})
    options.pop("pool", None)
    if connection.vendor == "postgresql":
        options |= {"connect_timeout": VANISHED, "tcp_user_timeout": VANISHED * 1_000}
    connections["default"] = connection


def figures(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    """Connections to this database, the most that the server takes, and the age of the oldest transaction (seconds).

    Where no server counts them, only the vendor. Raises what the driver raises if the database does not answer.
    """
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("select 1")
            cursor.fetchone()
            return {"vendor": connection.vendor}
        cursor.execute(OVERVIEW)
        count, oldest, most = cursor.fetchone()
    return {
        "vendor": connection.vendor,
        "open_connections": count,
        "max_connections": most,
        "oldest_transaction_seconds": None if oldest is None else round(float(oldest), 3),
    }
