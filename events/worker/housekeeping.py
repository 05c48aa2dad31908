"""What a worker does beside its work: forgetting what is old, a little at a time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from events.conf import conf
from events.models import Attempt, BulkAction, Event, Worker

PERIOD = 600.0  # seconds, about
ACTIONS_KEPT = timedelta(days=90)  # that ended; the admin's log keeps what they did
CHUNK = 1_000  # events deleted in one statement
SHARE = 0.2  # of the time that pruning may keep a connection busy


class Housekeeping:
    """Prunes done events after `EVENT_RETENTION_DAYS`, and rows of workers that ended long ago."""

    def __init__(self, *, using: str = "default") -> None:
        self.using = using
        self._stopped = threading.Event()

    def seconds_until_next(self) -> float:
        """Seconds to the next round: by chance, so that worker processes take turns."""
        return PERIOD * random.uniform(0.5, 1.5)  # noqa: S311 - no secret

    def tidy(self) -> None:
        """One round; ends early when told to stop."""
        Worker.objects.using(self.using).ended_long_ago().forget()
        BulkAction.objects.using(self.using).filter(ended_at__lt=timezone.now() - ACTIONS_KEPT).delete()
        for _ in prune(using=self.using, stopped=self._stopped):
            pass

    def stop(self) -> None:
        self._stopped.set()


def prune(
    *, days: float | None = None, using: str = "default", stopped: threading.Event | None = None
) -> Iterator[int]:
    """Delete events that were done or discarded more than `days` ago (`EVENT_RETENTION_DAYS`); yields counts.

    Walks the primary key upward from the log's beginning, where the oldest are, to the first event that is too
    young: the cost is that of what is deleted, and of the dead letters between. Ids are given in the order of
    receipt, give or take what is appended at the same time.
    """
    stopped = stopped or threading.Event()
    before = timezone.now() - timedelta(days=conf.retention_days if days is None else days)
    last = 0
    while True:
        started = time.monotonic()
        window = _window(Event.objects.using(using), last, before)
        if not window:
            return
        yield _delete(window, before, using)
        last = window[-1]
        if stopped.wait((time.monotonic() - started) * (1 / SHARE - 1)):
            return


def _window(events: QuerySet[Event], last: int, before: datetime) -> list[int]:
    """The next ids of the log, as far as they were received before `before`."""
    rows = events.filter(pk__gt=last).order_by("pk").values_list("pk", "received_at")[:CHUNK]
    return [pk for pk, _ in takewhile(lambda row: row[1] < before, rows)]


def _delete(window: list[int], before: datetime, using: str) -> int:
    """Delete what ended before `before` among the ids of a window; how many."""
    events = Event.objects.using(using)
    with transaction.atomic(using=using):
        ended = (Event.State.DONE, Event.State.DISCARDED)
        old = events.filter(pk__gte=window[0], pk__lte=window[-1], state__in=ended, finished_at__lt=before)
        if connections[using].features.has_select_for_update_skip_locked:
            old = old.select_for_update(skip_locked=True)
        ids = list(old.values_list("pk", flat=True))
        Attempt.objects.using(using).filter(event__in=ids)._raw_delete(using)
        events.filter(pk__in=ids)._raw_delete(using)
    return len(ids)
