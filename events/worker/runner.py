"""The worker process, from its start to its deregistration: an asyncio loop for the schedule and periodic tasks."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from django.db import close_old_connections, connection, connections

from events import bulk
from events.conf import conf
from events.history.keeping import Keeping
from events.log.errors import is_contention, is_transient
from events.log.quarantine import suspects
from events.log.verify import Auditor
from events.models import Lane
from events.models.worker import HEARTBEAT
from events.worker.ear import Ear
from events.worker.fleet import Membership
from events.worker.lane_failures import LaneFailures
from events.worker.outage import Outage
from events.worker.probe import Probe
from events.worker.pruner import Pruner
from events.worker.schedule import Schedule
from events.worker.steps import Steps
from events.worker.threads import Threads
from events.worker.watchdog import Watchdog
from events.worker.work import Work

logger = structlog.stdlib.get_logger(__name__)

POLL = 0.25  # seconds between two looks for events, notified or not
BULK_POLL = 1.0  # seconds between two looks for a bulk action
BULK_REMINDER = 10  # transient failures in a row between two lines
BULK_PAUSE = 0.02  # seconds between two of its batches: events are applied meanwhile
AUDIT_EVERY = 60.0  # seconds between two audits of the low watermarks
GRACE = 4.0  # seconds that a stopping worker gives the steps in hand


class Runner:
    """Runs steps until it is told to stop, or, with `drain`, until nothing is pending anywhere."""

    def __init__(self, slots: int | None = None, *, drain: bool = False, health_port: int | None = None) -> None:
        one_writer = connection.vendor == "sqlite"
        self.slots = 1 if one_writer else slots or conf.workers
        self.work = Work(self.slots)
        failures = LaneFailures()
        self.membership = Membership(self.work, failures)
        self.watchdog = Watchdog(conf.batch_timeout)
        steps = Steps(self.membership, self.watchdog, failures)
        self.pruner = Pruner()
        self.history = Keeping()
        self.auditor = Auditor()
        self.outage = Outage()
        self.probe = Probe(self, health_port) if health_port else None
        self.threads = Threads(self.slots + 3)
        self._stopping = asyncio.Event()
        self.schedule = Schedule(self.slots, steps, self.work, self.outage, self.threads, self._stopping, drain=drain)

    async def run(self) -> None:
        """Run until stopped."""
        self.loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stop)
        if self.probe:
            await self.probe.open()
        await self._join()
        ear = Ear(self._heard)
        house = self._now_and_then(self.pruner.seconds_until_next, self.pruner.prune, "pruning failed, retried later")
        history = self._now_and_then(
            self.history.seconds_until_next, self.history.keep, "a sample of the history is left out"
        )
        watermarks = self._now_and_then(
            lambda: AUDIT_EVERY, self.membership.watermarks.audit, "watermark audit failed, retried later"
        )
        log = self._now_and_then(self.auditor.seconds_until_next, self.auditor.advance, "audit failed, retried later")
        going = (self._beat(), self._poll(), self._decide(), house, history, watermarks, log)
        chores = [asyncio.create_task(chore) for chore in going]
        if not self._stopping.is_set():
            logger.info("worker started", host=self.membership.host, slots=self.slots, lanes=self.schedule.pace.lanes)
            if (lanes := self.schedule.pace.lanes) != conf.lanes:
                logger.warning("EVENT_LANES differs from the log's number of lanes", setting=conf.lanes, lanes=lanes)
            self.schedule.wake()
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
        logger.info("worker stopping", steps_in_hand=self.schedule.running)
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop, or has nothing left to do."""
        return self._stopping.is_set()

    def _heard(self) -> None:
        """`wake`, for other threads."""
        with suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self.schedule.wake)

    async def _join(self) -> None:
        """Make the lanes and this worker's row, however long the database is away."""

        def join() -> bool:
            Lane.ensure()
            self.schedule.pace.lanes = Lane.count()
            self.membership.join()
            self.membership.find_dead(newcomer=True)
            self.schedule.suspects = bool(suspects())
            return self.membership.must_be_careful()

        while not self._stopping.is_set():
            try:
                self.schedule.careful = await self.threads.run(join)
                self.outage.is_over()
                return
            except Exception as error:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self.outage.begins_or_goes_on(error))

    async def _beat(self) -> None:
        """Heartbeats: each also sets whether steps are announced and suspects run, and looks for the low watermarks."""
        failures = self.membership.failures

        def beat() -> tuple[bool, bool]:
            careful = self.membership.beat()
            self.membership.watermarks.look()
            return careful, bool(failures.in_turn(suspects()))

        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                self.schedule.careful, self.schedule.suspects = await self.threads.run(beat)
            except Exception as error:
                if not is_contention(error):
                    self.outage.begins_or_goes_on(error)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            self.schedule.wake()

    async def _now_and_then(self, seconds: Callable[[], float], chore: Callable[[], object], left: str) -> None:
        """Do a chore whenever its time has come; one that fails is left for the next time."""
        while True:
            await asyncio.sleep(seconds())
            try:
                await self.threads.run(chore)
            except Exception as error:
                logger.info(left, error=str(error))

    async def _decide(self) -> None:
        """Carry out what operators decided about many dead letters, a batch at a time, beside the steps."""
        failures = 0
        while True:
            try:
                more = await self.threads.run(bulk.run_batch)
                failures = 0
            except Exception as error:
                more = False
                failures += 1
                if not is_transient(error):
                    logger.error("a bulk action's batch failed", exc_info=error)
                elif failures % BULK_REMINDER == 0:
                    logger.warning("a bulk action's batch keeps failing", times=failures, error=str(error))
            if more:
                self.schedule.wake()
            await asyncio.sleep(BULK_PAUSE if more else BULK_POLL)

    async def _finish(self) -> None:
        """Let running steps end, and deregister; the server rolls back what takes too long."""
        self.pruner.stop()
        clean = await self.schedule.finish(GRACE)
        try:
            await asyncio.wait_for(self.threads.run(self.membership.leave), timeout=0.5)
        except Exception as error:
            clean = False
            logger.info("not deregistered", error=str(error) or "no answer")
        self.watchdog.stop()
        logger.info("worker stopped", processed=self.work.figures()["processed"])
        if not clean:
            logging.shutdown()
            os._exit(0)
        self.threads.end()


def run(**options: Any) -> None:
    """Run a worker in this process until it ends."""
    # Threads of a worker keep their connections for life: a pool between would only add a way to wait.
    connections.settings["default"].get("OPTIONS", {}).pop("pool", None)
    close_old_connections()

    async def main() -> None:
        await Runner(**options).run()

    asyncio.run(main())
