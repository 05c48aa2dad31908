"""The thread that decides whether a process trusts Redis, and does for it what no caller waits for.

While Redis is trusted: is it still the same server, still the master? Were keys given up? Which invalidations did
others not perform? While it is not: one probe at a time, and before trust everything that Redis missed.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper

from cachecore import identity, journal
from cachecore.breaker import is_outage
from cachecore.own_connection import own_connection
from cachecore.trust import Trusted

if TYPE_CHECKING:
    from cachecore.location import Location

logger = logging.getLogger(__name__)

ROUND = 0.5  # seconds between two looks at a trusted Redis
# An invalidation that its own process did not mark as performed within this many seconds is performed by another.
# With ROUND, and the time to mark, it is well below the 2 seconds that are promised.
ORPHANED = 1.0
LEASE = 3.0  # seconds that the lock of a load outlives its process


class Keeper:
    """One thread a Location and process."""

    def __init__(self, location: Location) -> None:
        self.tried = threading.Event()  # set after the first attempt to trust, whatever came of it
        self._location = location
        self._woken = threading.Event()
        self._at_once = False
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._connection: BaseDatabaseWrapper | None = None

    def start(self) -> None:
        """Begin, with an attempt to trust Redis."""
        self._thread = threading.Thread(target=self._run, name="cachecore-keeper", daemon=True)
        self._thread.start()

    def wake(self, *, at_once: bool) -> None:
        """Trust was lost; `at_once` asks for it again without the first pause."""
        self._at_once = at_once
        self._woken.set()

    def stop(self, patience: float = 10.0) -> None:
        """End the thread and its connections, and wait for that, for so many seconds at most."""
        self._stopped = True
        self._woken.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(patience)

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped:
            self._woken.wait(pause)
            woken, at_once = self._woken.is_set(), self._at_once
            self._woken.clear()
            self._at_once = False
            if self._stopped:
                break
            try:
                pause = self._round(just_lost=woken and not at_once)
            except Exception:  # a keeper that ended would leave a process that trusts Redis for ever
                logger.exception("the cache's keeper failed")
                pause = ROUND
        last = self._location.known_mode
        if isinstance(last, Trusted):
            self._tend(last)  # what was counted and performed since the last round
        self._close()

    def _round(self, *, just_lost: bool) -> float:
        """Look, or ask; the seconds until the next round."""
        location = self._location
        while location.retired:
            location.retired.pop().close()
        mode = location.mode
        if isinstance(mode, Trusted):
            return ROUND if self._tend(mode) else 0.0
        if just_lost:
            return location.breaker.pause()
        return 0.0 if self._probe() else location.breaker.pause()

    # --- While Redis is trusted -----------------------------------------------------------------------------

    def _tend(self, mode: Trusted) -> bool:
        """One round. False if trust is lost."""
        location = self._location
        try:
            found = self._ask(mode)
        except Exception as error:
            if not is_outage(error):
                logger.exception("the cache's keeper failed at Redis")
            location.lose(mode, error)
            return False
        if found != mode.identity:
            location.lose(mode, "another server answers, or the same one with another history", at_once=True)
            return False
        if not journal.installed():
            return True
        try:
            if journal.rotation(self._database(), location.spaces) != mode.rotation:
                location.lose(mode, "the keys in Redis were given up", at_once=True)
                return False
            self._mark_performed()
            self._perform(mode, ORPHANED)
            location.seen["journal_length"] = journal.length(self._database(), location.spaces)
        except Exception as error:
            if is_outage(error):
                location.lose(mode, error)
                return False
            # Without the database nothing new is committed, so nothing in Redis becomes wrong either.
            self._complain(error)
        else:
            self._content()
        return True

    def _ask(self, mode: Trusted) -> identity.Identity:
        """Who is it, in one round trip together with leases to extend, counters to add up and figures to keep."""
        location = self._location
        space = sorted(location.spaces)[0] if location.spaces else ""
        counts = location.counts.unpublished()
        with mode.redis.pipeline(transaction=False) as pipeline:
            pipeline.info("server")
            pipeline.info("replication")
            pipeline.info("memory")
            pipeline.dbsize()
            for (name, kind), number in counts.items():
                pipeline.hincrby(f"{space}:counts", f"{kind} {name}", number)
            pipeline.hgetall(f"{space}:counts")
            for name in list(location.leases):
                pipeline.pexpire(name, int(LEASE * 1_000))
            server, replication, memory, keys, *rest = pipeline.execute()
        location.counts.published(counts)
        location.seen.update(
            keys=keys,
            memory=memory.get("used_memory", 0),
            counts=rest[len(counts)],
            version=server.get("redis_version"),
        )
        return identity.Identity(
            str(server.get("run_id", "")), str(replication.get("master_replid", "")), str(replication.get("role", ""))
        )

    # --- While it is not --------------------------------------------------------------------------------------

    def _probe(self) -> bool:
        """Ask Redis, give it what it missed, and trust it. False if it can't be trusted yet."""
        location = self._location
        location.breaker.probing = True
        candidate = None
        try:
            candidate = Trusted(location.server, location.params)
            candidate.redis.ping()
            assert candidate.identity is not None
            if journal.installed():
                self._rotate()
                location.collect()
                self._replay(candidate)
                # Read after the replay: rows that were given up before it began are in this number.
                candidate.rotation = journal.rotation(self._database(), location.spaces)
            candidate.epoch = identity.epoch_of(candidate.identity, candidate.rotation)
            self._repay(candidate)
            if not location.trust(candidate):
                candidate.close()
                return False
            self._content()
        except Exception as error:
            location.breaker.failed(str(error))
            self._complain(error)
            if candidate is not None:
                candidate.close()
            return False
        finally:
            location.breaker.probing = False
            self.tried.set()
        return True

    def _rotate(self) -> None:
        given_up = self._location.must_rotate
        while given_up:
            space = given_up.pop()  # before it is done: given up once more meanwhile, it is done once more
            try:
                journal.rotate(self._database(), space)
            except Exception:
                given_up.add(space)
                raise

    def _replay(self, candidate: Trusted) -> None:
        """Perform in Redis all that is unperformed in the journal."""
        while self._perform(candidate, 0.0) == journal.CHUNK:
            pass

    def _repay(self, candidate: Trusted) -> None:
        """Let Redis forget the plain keys that were written in memory, all but the last few."""
        owed = self._location.owed()
        try:
            candidate.forget(owed, ())
        except Exception:
            self._location.owe_again(owed)
            raise

    # --- The journal --------------------------------------------------------------------------------------------

    def _perform(self, mode: Trusted, older_than: float) -> int:
        """Perform the rows that nobody has, and mark them; how many there were."""
        rows = journal.unperformed(self._database(), self._location.spaces, older_than)
        replay(mode, rows)
        if rows:
            journal.mark(self._database(), [row.id for row in rows])
        return len(rows)

    def _mark_performed(self) -> None:
        performed = self._location.performed
        ids = [performed.popleft() for _ in range(len(performed))]
        try:
            if ids:
                journal.mark(self._database(), ids)
        except Exception:
            performed.extend(ids)
            raise

    def _database(self) -> BaseDatabaseWrapper:
        if self._connection is None:
            self._connection = own_connection(journal.database())
        return self._connection

    def _complain(self, error: Exception) -> None:
        """One line an outage, not one a round."""
        text = repr(error)
        if self._location.seen.get("complaint") != text:
            self._location.seen["complaint"] = text
            logger.warning("the cache can't rely on Redis or its journal", extra={"error": text})
        if not is_outage(error):
            self._close()

    def _content(self) -> None:
        self._location.seen.pop("complaint", None)

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(Exception):  # it may be broken already
                self._connection.close()
            self._connection = None


def replay(mode: Trusted, rows: list[Any]) -> None:
    """Remove in Redis the stamps that `rows` of the journal name. Raises what redis-py raises."""
    mode.forget((), {(row.space, one) for row in rows for one in row.digests})
