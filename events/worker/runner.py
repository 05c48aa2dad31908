"""The worker process: an asyncio loop that decides when steps run, and threads that run them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import structlog
from django.db import close_old_connections, connections

from events import bulk
from events.conf import conf
from events.exceptions import EventError, LaneCountError
from events.history.keeping import Keeping
from events.log import dialect_of
from events.log.faults import is_contention, is_nobodys_fault
from events.models import Lane
from events.models.worker import HEARTBEAT
from events.worker.batch import CommitRefused, OutOfTime, Overtaken, Result, Take
from events.worker.crew import Crew
from events.worker.ear import Ear
from events.worker.fleet import Membership
from events.worker.floors import NONE, Floors
from events.worker.housekeeping import Housekeeping
from events.worker.outage import Outage
from events.worker.pace import Pace
from events.worker.probe import Probe
from events.worker.steps import Steps
from events.worker.watchdog import Watchdog
from events.worker.work import Work

logger = structlog.stdlib.get_logger(__name__)

POLL = 0.25  # seconds: however deaf a worker is, it looks for events this often
BREATH = 0.003  # seconds between two steps on SQLite: without them an appender got in 3 times in 8 s
CONTENTION_PAUSE = 0.01  # seconds before a step is repeated that lost against another transaction
EVERY_TENTH = 10  # each so manieth step takes the lane with the oldest event, whatever its priority
BULK_POLL = 1.0  # seconds between two looks for a bulk action
BULK_PAUSE = 0.02  # seconds between two of its batches: events are applied meanwhile
GRACE = 4.0  # seconds that a stopping worker gives the steps in hand

T = TypeVar("T")


class Runner:
    """Runs steps until it is told to stop, or, with `drain`, until nothing is pending anywhere.

    As few steps at once as the work needs: one, and one more for each batch that came full, as far as `Crew` allows.
    """

    def __init__(
        self, slots: int | None = None, *, drain: bool = False, health_port: int | None = None, using: str = "default"
    ) -> None:
        self.using = using
        self.drain = drain
        self.one_writer = connections[using].vendor == "sqlite"
        self.slots = 1 if self.one_writer else slots or conf.workers
        self.pace = Pace(conf.lanes, conf.batch_size, conf.batch_timeout)
        self.crew = Crew(self.slots)
        self.work = Work(self.slots)
        self.membership = Membership(self.work, using=using)
        self.watchdog = Watchdog(conf.batch_timeout)
        self.steps = Steps(self.membership, self.watchdog, using=using)
        self.floors = Floors(using=using)
        self.housekeeping = Housekeeping(using=using)
        self.history = Keeping(using=using)
        self.outage = Outage()
        self.probe = Probe(self, health_port) if health_port else None
        self.pool = ThreadPoolExecutor(self.slots + 3, thread_name_prefix="step")
        self.running = 0
        self._dirty = False  # somebody rang while steps ran: look once more before resting
        self._careful = False
        self._suspects = False
        self._suspects_turn = False
        self._count = 0
        self._paused = False
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run until stopped. Raises LaneCountError if `EVENT_LANES` does not fit the log."""
        self.loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stop)
        if self.probe:
            await self.probe.open()
        await self._join()
        ear = Ear(self._heard, using=self.using)
        house = self._now_and_then(
            self.housekeeping.seconds_until_next, self.housekeeping.tidy, "housekeeping is left for later"
        )
        history = self._now_and_then(
            self.history.seconds_until_next, self.history.keep, "a sample of the history is left out"
        )
        going = (self._beat(), self._poll(), self._decide(), house, history)
        chores = [asyncio.create_task(chore) for chore in going]
        if not self._stopping.is_set():
            logger.info("worker started", host=self.membership.host, slots=self.slots, lanes=conf.lanes)
            self.wake()
        await self._stopping.wait()
        ear.stop()
        for chore in chores:
            chore.cancel()
        await self._finish()

    def stop(self) -> None:
        """Finish the steps in hand and end; called again, end now and let the server roll them back."""
        if self._stopping.is_set():
            logger.warning("stopped twice: steps in hand are rolled back")
            os._exit(0)
        logger.info("worker stopping", steps_in_hand=self.running)
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop, or has nothing left to do."""
        return self._stopping.is_set()

    def wake(self) -> None:
        """Look for work: events may have been appended."""
        if self.running:
            self._dirty = True
        else:
            self._start(1)

    def _heard(self) -> None:
        """`wake`, for other threads."""
        with suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self.wake)

    def _start(self, wanted: int) -> None:
        """Start up to `wanted` more steps."""
        alone = self._careful or self._suspects
        while wanted > 0 and self.running < (1 if alone else self.crew.size):
            if self._paused or self._stopping.is_set():
                return
            wanted -= 1
            self.running += 1
            task = asyncio.create_task(self._step(self._next_step()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next_step(self) -> tuple[Callable[[], Result], int, bool]:
        """The next step, at how many events its batch is full, and whether it goes without floors."""
        self._count += 1
        self._suspects_turn = not self._suspects_turn
        if self._suspects and self._suspects_turn:
            return self.steps.suspect, 1, False
        take = Take(self.pace.share, self.pace.limit, by_age=self._count % EVERY_TENTH == 0)
        kind = self.steps.announced if self._careful else self.steps.ordinary
        floors = self.floors.current()
        return partial(kind, take, floors), take.limit, floors is NONE

    async def _step(self, planned: tuple[Callable[[], Result], int, bool]) -> None:
        run, limit, without_floors = planned
        wanted = 0
        try:
            result = await self._in_thread(run)
            if without_floors:
                self.floors.found_without(result.finding)
            # A suspect's turn that found none fit to run says nothing of the other events.
            wanted = max(self._learn(result, limit), int(run == self.steps.suspect))
        except (Overtaken, OutOfTime):
            wanted = 1
        except CommitRefused as error:
            logger.warning("a batch was refused at commit, taking its events one by one", error=str(error))
            self.pace.one_by_one()
            wanted = 1
        except Exception as error:
            self._pause(self._seconds_for(error))
        finally:
            self.running -= 1
        if self.one_writer:
            await asyncio.sleep(BREATH)
        if not wanted and self._dirty:
            self._dirty = False
            wanted = 1
        self._start(wanted)
        if self.drain and not self.running and not self._paused:
            await self._end_if_drained()

    def _learn(self, result: Result, limit: int) -> int:
        """Learn from a step's result; how many more steps it calls for."""
        self.outage.is_over()
        self.work.progressed = time.monotonic()  # or it looked, and there was nothing that it could take
        if not result.progress:
            return 0
        if not result.applied:
            return 1
        self.work.add(result.done, result.failed, result.latencies)
        full = self.pace.took(result.read, limit, result.seconds)
        if full:
            self.crew.full_batch(result.read, self.work.progressed)
        else:
            self.crew.partial_batch()
        self.work.crew = self.crew.size
        return 2 if full else 1

    def _seconds_for(self, error: Exception) -> float:
        if is_contention(error):
            logger.debug("step repeated", error=str(error))
            return CONTENTION_PAUSE
        if not is_nobodys_fault(error) and self.outage.since is None:
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

        self.loop.call_later(seconds, go_on)

    async def _end_if_drained(self) -> None:
        try:
            if await self._in_thread(self._nothing_pending):
                self._stopping.set()
                return
        except Exception as error:
            self._pause(self._seconds_for(error))
        self.loop.call_later(BREATH * 10, self.wake)

    def _nothing_pending(self) -> bool:
        connection = connections[self.using]
        return not dialect_of(self.using).any_pending(connection)

    async def _join(self) -> None:
        """Make the lanes and this worker's row, however long the database is away."""

        def join() -> bool:
            Lane.ensure()
            self.membership.join()
            self.membership.find_dead(newcomer=True)
            self._suspects = self.membership.any_suspects()
            return self.membership.must_be_careful()

        while not self._stopping.is_set():
            try:
                self._careful = await self._in_thread(join)
                self.outage.is_over()
                return
            except LaneCountError:
                raise
            except Exception as error:
                await self._wait(self.outage.begins_or_goes_on(error))

    async def _beat(self) -> None:
        """Heartbeats: they also tell whether to be careful, and move the floors."""

        def beat() -> tuple[bool, bool]:
            careful = self.membership.beat()
            self.floors.look()
            return careful, self.membership.any_suspects()

        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                self._careful, self._suspects = await self._in_thread(beat)
            except Exception as error:
                if not is_contention(error):
                    self.outage.begins_or_goes_on(error)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            self.wake()

    async def _now_and_then(self, seconds: Callable[[], float], chore: Callable[[], object], left: str) -> None:
        """Do a chore whenever its time has come; one that fails is left for the next time."""
        while True:
            await asyncio.sleep(seconds())
            try:
                await self._in_thread(chore)
            except Exception as error:
                logger.info(left, error=str(error))

    async def _decide(self) -> None:
        """Carry out what operators decided about many dead letters, a batch at a time, beside the steps."""
        while True:
            try:
                more = await self._in_thread(partial(bulk.run_batch, using=self.using))
            except Exception as error:
                more = False
                if not is_nobodys_fault(error):
                    logger.error("a bulk action's batch failed", exc_info=error)
            if more:
                self.wake()
            await asyncio.sleep(BULK_PAUSE if more else BULK_POLL)

    async def _finish(self) -> None:
        """Let the steps in hand end, say goodbye; what takes too long is left to the server to roll back."""
        self.housekeeping.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)
        clean = not self._tasks
        try:
            await asyncio.wait_for(self._in_thread(self.membership.leave), timeout=0.5)
        except Exception as error:
            clean = False
            logger.info("left without a goodbye", error=str(error) or "no answer")
        self.watchdog.stop()
        logger.info("worker stopped", processed=self.work.figures()["processed"])
        if not clean:
            logging.shutdown()
            os._exit(0)
        self.pool.shutdown()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        """Run `call` in a thread; a connection on which it failed is not used again."""

        def guarded() -> T:
            try:
                return call()
            except EventError:
                raise
            except Exception as error:
                if not is_contention(error):
                    connections[self.using].close()
                raise

        return await self.loop.run_in_executor(self.pool, guarded)

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), timeout=seconds)
        except TimeoutError:
            return


def run(**options: Any) -> None:
    """Run a worker in this process until it ends."""
    # Threads of a worker keep their connections for life: a pool between would only add a way to wait.
    connections.settings["default"].get("OPTIONS", {}).pop("pool", None)
    close_old_connections()

    async def main() -> None:
        await Runner(**options).run()

    asyncio.run(main())
