"""Registration, heartbeats and deaths of worker processes, and the events that may have caused the deaths.

Normal steps announce nothing. For five minutes after a worker died without deregistering, each process runs one step at
a time and first writes its event ids to its row. Events that a dead worker had announced are suspects, and a suspect
runs alone in its process. One that ran alone in three processes that died is dead-lettered: an event that ends its
process is found, and no event is dead-lettered for another's crash or for `kill -9`.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any

import psutil
import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from events.models import Latency, Worker
from events.models.worker import SILENCE
from events.worker.identity import host_name
from events.worker.lane_failures import LaneFailures
from events.worker.quarantine import mark_suspects
from events.worker.watermarks import LowWatermarks
from events.worker.work import Work

logger = structlog.stdlib.get_logger(__name__)

CAREFUL = 300.0  # seconds that the fleet is careful after a death


class Membership:
    """This process's row, and the search for dead ones. Calls come one at a time, from any thread of the process."""

    def __init__(self, work: Work, failures: LaneFailures) -> None:
        self.work = work
        self.failures = failures
        self.watermarks = LowWatermarks()
        self.host = host_name()
        self.pid = os.getpid()
        self.process_started = psutil.Process(self.pid).create_time()
        self.id = 0  # of its row, once it has joined
        self._unbroken_since = time.monotonic()
        self._last_beat = 0.0

    @property
    def joined(self) -> bool:
        """Whether it has written its row."""
        return self.id > 0

    @property
    def silence(self) -> float:
        """Seconds since the database last took its heartbeat."""
        return time.monotonic() - self._last_beat

    @property
    def unbroken(self) -> float:
        """Seconds for which no heartbeat has been long overdue."""
        return time.monotonic() - self._unbroken_since

    def join(self) -> None:
        """Write this process's row."""
        now = timezone.now()
        worker = Worker.objects.create(
            host=self.host,
            pid=self.pid,
            process_started=self.process_started,
            started_at=now,
            heartbeat_at=now,
            slots=self.work.slots,
        )
        Worker.objects.filter(pk=worker.pk).update(started_at=Now(), heartbeat_at=Now())
        self.id = worker.pk
        self._last_beat = self._unbroken_since = time.monotonic()

    def beat(self) -> bool:
        """Renew the row, and find dead workers; whether steps are to be announced."""
        now = time.monotonic()
        if now - self._last_beat > SILENCE / 3:
            self._unbroken_since = now
        if not self._write(died_at=None):
            # Its seconds were kept when the row was deleted: a new row begins anew.
            self.work.begin()
            self.join()
        self._last_beat = time.monotonic()
        self.find_dead()
        return self.must_be_careful()

    def announce(self, ids: list[int], *, alone: bool = False) -> None:
        """Write the ids of the events that this process is about to apply to its row."""
        self._mine().update(announced=ids, alone=alone)

    def leave(self) -> None:
        """Deregister."""
        self._write(stopped_at=Now(), announced=[], alone=False)

    def must_be_careful(self) -> bool:
        """Whether a worker has died in the last five minutes."""
        return Worker.objects.filter(died_at__gt=Now() - timedelta(seconds=CAREFUL)).exists()

    def find_dead(self, *, newcomer: bool = False) -> None:
        """Mark workers that died, and make suspects of the events that they had announced.

        A `newcomer` takes every worker with an overdue heartbeat for dead: where each restart is another host
        (containers), a process that an event ends within seconds does not run long enough to observe a whole silence.
        A worker that was taken for dead by mistake is alive again with its next heartbeat.
        """
        others = Worker.objects.filter(stopped_at=None, died_at=None).exclude(pk=self.id)
        silent = Q(heartbeat_at__lt=Now() - timedelta(seconds=SILENCE))
        gone = [w.pk for w in others.filter(host=self.host) if not is_running(w)]
        if newcomer or time.monotonic() - self._unbroken_since >= SILENCE:
            # Only then: after an outage of the database every worker looks silent for a moment.
            gone += list(others.filter(silent).values_list("pk", flat=True))
        for pk in gone:
            self._bury(pk)

    def _write(self, **changes: object) -> bool:
        """Write a heartbeat and the latencies seen since the last; whether the row was still there.

        Where nobody can tell if the commit arrived, they are written again: a histogram may bear that, a counter of
        events may not, and is kept by the steps themselves.
        """
        latencies = self.work.take_latencies()
        try:
            with transaction.atomic():
                Latency.objects.add(latencies)
                row = self._mine()
                return row.update(heartbeat_at=Now(), **changes, **self.work.figures(), **self._report()) > 0
        except Exception:
            self.work.put_back(latencies)
            raise

    def _report(self) -> dict[str, Any]:
        return {"low_watermarks": list(self.watermarks.current()), "failing_lanes": self.failures.report()}

    def _mine(self) -> QuerySet[Worker]:
        return Worker.objects.filter(pk=self.id)

    def _bury(self, pk: int) -> None:
        with transaction.atomic():
            still = Worker.objects.filter(pk=pk, stopped_at=None, died_at=None)
            if still.update(died_at=Now()) == 0:
                return  # another worker was first
            dead = Worker.objects.get(pk=pk)
            logger.warning("worker died", worker=str(dead), announced=len(dead.announced))
            if dead.announced:
                mark_suspects(dead.announced, alone=dead.alone, worker=str(dead))


def is_running(worker: Worker) -> bool:
    """Whether the process of a worker on this host still runs: its pid may be another process's by now."""
    try:
        return abs(psutil.Process(worker.pid).create_time() - worker.process_started) < 1.0
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
