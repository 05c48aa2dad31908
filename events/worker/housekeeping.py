"""What a worker does beside its work: forgetting what is old, a little at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import timedelta

from django.db import connections, transaction
from django.db.models.functions import Now

from events.conf import conf
from events.models import Event, Worker

PERIOD = 600.0  # seconds, about
CHUNK = 1_000  # events deleted in one statement
SHARE = 0.2  # of the time that pruning may keep a connection busy


class Housekeeping:
    """Prunes done events after `EVENT_RETENTION_DAYS`, and rows of workers that ended long ago."""

    def __init__(self, *, using: str = "default") -> None:
        self.using = using

    def seconds_until_next(self) -> float:
        """Seconds to the next round: by chance, so that worker processes take turns."""
        return PERIOD * random.uniform(0.5, 1.5)  # noqa: S311 - no secret

    def tidy(self) -> None:
        Worker.objects.using(self.using).ended_long_ago().delete()
        for _ in prune(using=self.using):
            pass


def prune(*, days: float | None = None, using: str = "default") -> Iterator[int]:
    """Delete events that were done or discarded more than `days` ago (`EVENT_RETENTION_DAYS`); yields counts.

    Walks the primary key upward from the log's beginning, where the oldest are, so that the cost is that of what
    is deleted, and of the dead letters between. A tombstone in a domain's tables is not an event, and stays.
    """
    last = 0
    age = timedelta(days=conf.retention_days if days is None else days)
    events = Event.objects.using(using)
    while True:
        started = time.monotonic()
        window = list(
            events.filter(pk__gt=last, received_at__lt=Now() - age).order_by("pk").values_list("pk", flat=True)[:CHUNK]
        )
        if not window:
            return
        ended = (Event.State.DONE, Event.State.DISCARDED)
        with transaction.atomic(using=using):
            old = events.filter(pk__gt=last, pk__lte=window[-1], state__in=ended, finished_at__lt=Now() - age)
            if connections[using].features.has_select_for_update_skip_locked:
                old = old.select_for_update(skip_locked=True)
            ids = list(old.values_list("pk", flat=True))
            events.filter(pk__in=ids)._raw_delete(using)
        last = window[-1]
        yield len(ids)
        time.sleep((time.monotonic() - started) * (1 / SHARE - 1))
