"""Invalidating tags: one row of the journal in the caller's transaction, performed after its commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from cachecore import journal
from cachecore.breaker import is_outage
from cachecore.location import Location
from cachecore.statistics import INVALIDATIONS
from cachecore.tags import digest
from cachecore.trust import Trusted

logger = logging.getLogger(__name__)

PRUNE_EVERY = 60.0  # seconds, by whichever process invalidates

_GATHERED = "_cachecore_gathered"  # where a connection keeps what its `gathering` block collects
_pruned_at = 0.0


class Performance:
    """What is left to do once the row is committed: make every cached value under its tags a miss."""

    def __init__(self, location: Location, space: str, row: int, tags: Collection[bytes]) -> None:
        self.location = location
        self.space = space
        self.row = row
        self.tags = frozenset(tags)

    def __call__(self) -> None:
        while True:
            mode = self.location.mode
            if not isinstance(mode, Trusted):
                if self.location.drop(mode, self.space, self.tags):
                    break
                continue
            try:
                mode.forget((), [(self.space, one) for one in self.tags])
            except Exception as error:
                if not is_outage(error):
                    raise
                self.location.lose(mode, error)
                continue
            self.location.performed.append(self.row)
            break
        _prune(self.space)


def invalidate(location: Location, space: str, tags: Iterable[str]) -> None:
    """Let no value under any of `tags` be told once the current transaction is committed, or at once outside one.

    Raises what the database raises; then nothing is invalidated.
    """
    if isinstance(tags, str):
        raise TypeError("tags must be an iterable of strings, not one string")
    found = {digest(tag) for tag in tags}
    if not found:
        return
    if not journal.installed():
        raise ImproperlyConfigured('invalidating by tag needs "cachecore" in INSTALLED_APPS, for its journal')
    location.counts.add("tags:", INVALIDATIONS, len(found))
    connection = connections[journal.database()]
    gathered: dict[tuple[Location, str], set[bytes]] | None = getattr(connection, _GATHERED, None)
    if gathered is not None:
        gathered.setdefault((location, space), set()).update(found)
    else:
        _write(connection, location, space, found)


@contextmanager
def gathering(using: str | None = None) -> Iterator[None]:
    """Within this block, all that is invalidated becomes one row, written where the block ends.

    It must stand inside the transaction that it is about. What a savepoint rolled back is invalidated all the same.
    """
    connection = connections[using or journal.database()]
    if not journal.installed() or getattr(connection, _GATHERED, None) is not None:
        yield
        return
    gathered: dict[tuple[Location, str], set[bytes]] = {}
    setattr(connection, _GATHERED, gathered)
    try:
        yield
    finally:
        setattr(connection, _GATHERED, None)
    for (location, space), tags in gathered.items():
        _write(connection, location, space, tags)


def pending(space: str, tags: Collection[bytes]) -> bool:
    """Whether the current transaction has invalidated one of `tags`: what is cached is what it was before."""
    connection = connections[_database()]
    if not connection.in_atomic_block:
        return False
    gathered: dict[tuple[Any, str], set[bytes]] = getattr(connection, _GATHERED, None) or {}
    if any(name == space and not found.isdisjoint(tags) for (_, name), found in gathered.items()):
        return True
    waiting = (entry[1] for entry in connection.run_on_commit)
    return any(isinstance(one, Performance) and one.space == space and not one.tags.isdisjoint(tags) for one in waiting)


def may_store() -> bool:
    """Whether what the current transaction reads is what everyone else reads, so that it may be cached."""
    connection = connections[_database()]
    return not connection.in_atomic_block or (journal.installed() and journal.dialect(connection).may_store(connection))


def _database() -> str:
    return journal.database() if journal.installed() else DEFAULT_DB_ALIAS


def _write(connection: BaseDatabaseWrapper, location: Location, space: str, tags: Collection[bytes]) -> None:
    row = journal.write(connection, space, tags)
    performance = Performance(location, space, row, tags)
    # Robust: the commit has happened, so its caller must not get an error; others perform the row if this fails.
    transaction.on_commit(performance, using=connection.alias, robust=True)


def _prune(space: str) -> None:
    global _pruned_at
    now = time.monotonic()
    if now - _pruned_at < PRUNE_EVERY:
        return
    _pruned_at = now
    try:
        journal.prune(connections[journal.database()], space)
    except Exception:
        logger.warning("the journal of invalidations was not pruned", exc_info=True)
