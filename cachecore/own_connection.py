"""A database connection outside the caller's transaction and outside the pool."""

from __future__ import annotations

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


def own_connection(alias: str) -> BaseDatabaseWrapper:
    """A connection to `alias` that belongs to nobody else, not yet open; threads may share it under a lock.

    The caller's transaction may have an old snapshot, or failed; the pool may be used up by what waits for us.
    """
    own = connections[alias].copy()
    own.settings_dict.get("OPTIONS", {}).pop("pool", None)
    own.inc_thread_sharing()
    return own
