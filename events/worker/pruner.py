"""Delete what ended long ago, a little at a time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from events.clock import database_now
from events.conf import conf
from events.log.database import unlocked
from events.models import Attempt, Batch, BulkAction, DeadLetter, Event, Worker

PERIOD = 600.0  # seconds, about
ACTIONS_KEPT = timedelta(days=90)  # that ended; the admin's log keeps what they did
CHUNK = 1_000  # events deleted in one transaction, or those of one batch
SHARE = 0.2  # of the time that pruning may keep a connection busy


class Pruner:
    """Prunes events after `EVENT_RETENTION_DAYS`, and rows of workers that ended long ago."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def seconds_until_next(self) -> float:
        """Seconds to the next round: random, so that worker processes take turns."""
        return PERIOD * random.uniform(0.5, 1.5)  # noqa: S311 - no secret

    def prune(self) -> None:
        """One round; ends early when stopped."""
        Worker.objects.ended_long_ago().forget()
        BulkAction.objects.filter(ended_at__lt=database_now() - ACTIONS_KEPT).delete()
        for _ in prune(stopped=self._stopped):
            pass

    def stop(self) -> None:
        self._stopped.set()


def prune(*, days: float | None = None, stopped: threading.Event | None = None) -> Iterator[int]:
    """Delete events that were done or discarded more than `days` ago (`EVENT_RETENTION_DAYS`); yields counts.

    Walks the batches by their ids, deletes the events of each that is old enough and then the batch, so a requeued
    letter is kept as long after it was done as any other event. Ends at a chunk in which no batch is old enough and
    whose last event was received after that time: ids are given in the order of receipt. Then walks the discarded
    letters by their time.
    """
    stopped = stopped or threading.Event()
    before = database_now() - timedelta(days=conf.retention_days if days is None else days)
    for delete in (_Batches(before).delete, partial(_delete_discarded, before)):
        while True:
            started = time.monotonic()
            deleted = delete()
            if deleted is None:
                break
            yield deleted
            if stopped.wait((time.monotonic() - started) * (1 / SHARE - 1)):
                return


class _Batches:
    """A walk over the batches from before a moment."""

    def __init__(self, before: datetime) -> None:
        self.before = before
        self.last = 0

    def delete(self) -> int | None:
        """Delete the next batches that are old enough, with their events; how many events, None at the end."""
        with transaction.atomic():
            rows = list(unlocked(Batch.objects.filter(last_id__gt=self.last).order_by("last_id"))[:CHUNK])
            batches: list[int] = []
            ids: list[int] = []
            for batch in rows:
                old = batch.finished_at < self.before
                if old and ids and len(ids) + len(batch.all_ids) > CHUNK:
                    break
                self.last = batch.last_id
                if old:
                    batches.append(batch.last_id)
                    ids += batch.all_ids
            _delete_events(ids)
            Batch.objects.filter(pk__in=batches)._raw_delete("default")
            # Events that were requeued lie younger among older ones.
            on = batches or (rows and Event.objects.filter(pk=self.last, received_at__lt=self.before).exists())
        return len(ids) if on else None


def _delete_discarded(before: datetime) -> int | None:
    """Delete the letters that were discarded before `before`, with their events."""
    with transaction.atomic():
        rows = unlocked(DeadLetter.objects.filter(discarded_at__lt=before).order_by("discarded_at"))
        ids = list(rows.values_list("pk", flat=True)[:CHUNK])
        DeadLetter.objects.filter(pk__in=ids)._raw_delete("default")
        _delete_events(ids)
    return len(ids) if ids else None


def _delete_events(ids: Sequence[int]) -> None:
    Attempt.objects.filter(event__in=ids)._raw_delete("default")
    Event.objects.filter(pk__in=ids)._raw_delete("default")
