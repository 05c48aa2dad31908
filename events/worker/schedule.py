"""When steps run, of which kind, how many at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog
from django.db import connection

from events.conf import conf
from events.log.errors import is_transient
from events.models import Pending
from events.worker.batch import BatchTimeout, CommitFailed, Result
from events.worker.outage import Outage
from events.worker.pace import Pace
from events.worker.persist import ConcurrentUpdate
from events.worker.steps import LaneFailed, Steps
from events.worker.threads import Threads
from events.worker.work import Work

logger = structlog.stdlib.get_logger(__name__)

FILE_HELD = 0.022  # seconds that a step on SQLite should take: appenders wait for the file meanwhile
FILE_FREE = 0.002  # seconds between two steps on SQLite: without them an appender got in 3 times in 8 s
DRAIN_POLL = 0.02  # seconds between two looks whether anything is pending, with --drain
SUSPECT, RETRY = 0, -1  # where a step has no number of events at which its batch is full
CONTENTION_PAUSE = 0.01  # seconds before a step is repeated that lost against another transaction


class Schedule:
    """As few batches at once as the work needs: one, and one more for each batch that came full, up to `slots`.

    Sets `stopping` itself where it is to `drain` the log and nothing is pending anywhere. Calls come from the loop.
    """

    def __init__(
        self,
        slots: int,
        steps: Steps,
        work: Work,
        outage: Outage,
        threads: Threads,
        stopping: asyncio.Event,
        *,
        drain: bool,
    ) -> None:
        self.steps = steps
        self.work = work
        self.outage = outage
        self.threads = threads
        self.stopping = stopping
        self.drain = drain
        self.one_writer = connection.vendor == "sqlite"
        self.pace = Pace(
            conf.lanes, conf.batch_size, conf.batch_timeout / 8, held=FILE_HELD if self.one_writer else None
        )
        self.slots = slots
        self.running = 0
        self.retrying = False  # one of the running steps is the retry of a failing lane
        self.careful = False  # one step at a time, announced
        self.suspects = False  # there are events that run alone
        self._dirty = False  # a wake-up came while steps ran: look once more before resting
        self._suspects_turn = False
        self._suspect_ran = False  # in the last turn of the suspects: its next event may be fit to run now
        self._paused = False
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look for work: events may have been appended."""
        # Beside a retry, which may wait for a lock, others start at once.
        if self.running > self.retrying or self.running >= self._at_once():
            self._dirty = True
        else:
            self._start(1)

    def _at_once(self) -> int:
        """How many steps may run at once."""
        return 1 if self.careful or self.suspects else self.slots

    def _start(self, wanted: int) -> bool:
        """Start up to `wanted` more steps, and a retry that is due beside them; whether any was started."""
        before = self.running
        while wanted > 0 and self.running < self._at_once() and not (self._paused or self.stopping.is_set()):
            planned = self._next_step()
            wanted -= planned[1] != RETRY
            self.running += 1
            task = asyncio.create_task(self._step(planned))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self.running > before

    def _next_step(self) -> tuple[Callable[[], Result], int]:
        """The next step, and at how many events its batch is full, where that says something."""
        self._suspects_turn = not self._suspects_turn
        if self.suspects and self._suspects_turn:
            return self.steps.suspect, SUSPECT
        request = self.pace.request()
        kind = self.steps.announced if self.careful else self.steps.ordinary
        if not self.retrying and (retry := self.steps.failures.take_due()):
            self.retrying = True
            return partial(kind, replace(request, lanes=(retry.lane,), lock_timeout=retry.lock_timeout)), RETRY
        return partial(kind, request), request.limit

    async def _step(self, planned: tuple[Callable[[], Result], int]) -> None:
        run, limit = planned
        wanted = 0
        try:
            wanted = await self._run(run, limit)
            if self.one_writer:
                await asyncio.sleep(FILE_FREE)
        finally:
            self.running -= 1
            if limit == RETRY:
                self.retrying = False
        # Where the retry took the place of another step, that one runs now.
        if self._start(max(wanted, self._dirty or limit == RETRY)):
            self._dirty = False
        if self.drain and not self.running and not self._paused:
            await self._end_if_drained()

    async def _run(self, run: Callable[[], Result], limit: int) -> int:
        """Run a step, and learn from it; how many more it calls for."""
        try:
            result = await self.threads.run(run)
            return max(self._learn(result, limit), self._other_turn(limit == SUSPECT, result))
        except ConcurrentUpdate:
            return 1
        except BatchTimeout:
            self.pace.begin()
            return 1
        except LaneFailed as error:
            logger.debug("batch failed, its lanes are retried", error=str(error))
            if limit != RETRY:
                self._pause(CONTENTION_PAUSE)
        except CommitFailed as error:
            logger.warning("a batch was refused at commit, taking its events one by one", error=str(error))
            self.pace.one_by_one()
            return 1
        except Exception as error:
            self._pause(self._seconds_for(error))
        return 0

    def _other_turn(self, suspects: bool, result: Result) -> int:
        """Whether the other turn is called for, after one of the `suspects` or of the other events.

        A suspects' turn that found none fit to run says nothing of the other events; a turn of those that found nothing
        says nothing of the suspects.
        """
        if suspects:
            self._suspect_ran = result.progress
            return 1
        return int(self.suspects and self._suspect_ran)

    def _learn(self, result: Result, limit: int) -> int:
        """Learn from a step's result; how many more steps it calls for."""
        self.outage.is_over()
        if result.progress or not self.steps.failures.failing():
            self.work.progressed = time.monotonic()  # or it looked, and there was nothing that it could take
        if not result.progress:
            return 0
        if not result.applied:
            return 1
        self.work.add(result.done, result.failed, result.latencies)
        full = limit > 0 and self.pace.took(result.read, limit, result.seconds)
        return 2 if full else 1

    def _seconds_for(self, error: Exception) -> float:
        if not is_transient(error) and self.outage.since is None:
            logger.error("a step failed outside its processors", exc_info=error)
        return self.outage.begins_or_goes_on(error)

    def _pause(self, seconds: float) -> None:
        """Start nothing for so long."""
        if self._paused:
            return
        self._paused = True

        def go_on() -> None:
            self._paused = False
            self.wake()

        asyncio.get_running_loop().call_later(seconds, go_on)

    async def _end_if_drained(self) -> None:
        try:
            if not await self.threads.run(Pending.objects.exists):
                self.stopping.set()
                return
        except Exception as error:
            self._pause(self._seconds_for(error))
        asyncio.get_running_loop().call_later(DRAIN_POLL, self.wake)

    async def finish(self, patience: float) -> bool:
        """Let the steps in hand end, for `patience` seconds at most; whether they did."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        return not self._tasks
