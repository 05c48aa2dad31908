"""The three kinds of step. Each runs in a thread of the worker's, with that thread's own connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db import connections

from events.exceptions import EventError
from events.log import dialect
from events.worker.batch import OutOfTime, Overtaken, Result, Take, peek, step
from events.worker.fleet import Membership
from events.worker.lines import tell
from events.worker.watchdog import Watchdog

REPEATS = 8  # of batches that failed by nobody's fault on a healthy connection, before it is taken for somebody's


class Steps:
    """What a thread does for one step; the connection is left fit for the next."""

    def __init__(self, membership: Membership, watchdog: Watchdog, *, using: str = "default") -> None:
        self.membership = membership
        self.watchdog = watchdog
        self.using = using
        self._in_vain = 0  # steps in a row that were nobody's fault, though the database was there

    def ordinary(self, take: Take, floors: Sequence[int]) -> Result:
        """Take a batch.

        What keeps failing by nobody's fault while the database answers (a lock that is never let go, another
        database that is away) is counted as the events' failure in the end: they wait and others have their turn.
        """
        try:
            with self.watchdog.watching():
                take = replace(take, impatient=self._in_vain >= REPEATS)
                with self.membership.work.step() as holding:
                    result = step(take, floors, using=self.using, holding=holding)
        except OutOfTime as error:
            self.membership.accuse(error.ids, alone=take.suspect is not None)
            raise
        except EventError:
            raise
        except Exception:
            self._in_vain = self._in_vain + 1 if connections[self.using].is_usable() else 0
            raise
        self._in_vain = 0
        tell(result.outcome, using=self.using)
        return result

    def announced(self, take: Take, floors: Sequence[int]) -> Result:
        """Take a batch whose events are written down first, where others read them if this process dies.

        The lanes are let go in between: on SQLite nothing can be written beside the step's transaction.
        """
        with self.watchdog.watching():
            seen = peek(take, floors, using=self.using)
        if not seen.ids:
            # Only events that wait behind others: a step that applies none of them may postpone them.
            return self.ordinary(_only(take, seen), floors) if seen.read else seen
        self.membership.announce(seen.ids)
        result = self.ordinary(_only(take, seen), floors)
        self.membership.announce([])
        return result

    def suspect(self) -> Result:
        """Apply one suspect, announced and alone. The caller sees to it that no other step runs in this process."""
        connection = connections[self.using]
        for event, lane in dialect(connection).suspects(connection):
            self.membership.announce([event], alone=True)
            try:
                result = self.ordinary(Take(share=1, limit=1, lanes=(lane,), suspect=event), ())
            except Overtaken:
                continue
            finally:
                self.membership.announce([])
            if result.progress:
                return result
        return Result()


def _only(take: Take, seen: Result) -> Take:
    return Take(share=take.share, limit=take.limit, by_age=take.by_age, lanes=seen.lanes, only=frozenset(seen.ids))
