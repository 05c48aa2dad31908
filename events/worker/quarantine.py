"""Quarantine events whose worker died or hung: each runs alone, and three crashes alone make it a dead letter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from django.db import transaction
from django.db.models.functions import Now

from events.log import quarantine
from events.log.dead_letters import bury
from events.models import Attempt, Event
from events.reasons import reason_of
from events.worker.identity import worker_name

logger = structlog.stdlib.get_logger(__name__)

STRIKE = "worker process died or hung"  # where an attempt has an exception's type
CRASHES_ALONE = 3  # an event that was alone in so many crashing processes is dead-lettered


def mark_suspects(ids: Sequence[int], *, alone: bool, worker: str = "") -> None:
    """Make suspects of events whose process died or whose batch outlived its time; of one alone, count a crash.

    `worker` is the name of that process; without one it is this.
    """
    worker = worker or worker_name()
    with transaction.atomic():
        if not alone:
            marked = quarantine.mark_suspects(ids)
            _keep_strikes(marked, f"it was one of {len(ids)} in its batch", worker)
            return
        crashed = quarantine.count_crashes(ids)
        _keep_strikes(((id_, attempts) for id_, attempts, _ in crashed), "this event ran alone in it", worker)
        dead = [id_ for id_, _, crashes in crashed if crashes >= CRASHES_ALONE]
        if dead:
            _mark_dead(dead)


def _mark_dead(ids: Sequence[int]) -> None:
    error = f"the worker process died or hung {CRASHES_ALONE} times while this event ran alone in it"
    bury(ids, error=error, reason=reason_of("", error))
    for event_id in Event.objects.filter(pk__in=ids).values_list("event_id", flat=True):
        logger.error("event dead", event_id=str(event_id), error=error)


def _keep_strikes(events: Iterable[tuple[int, int]], message: str, worker: str) -> None:
    """Keep, as an attempt of each event, that a process died or hung while it was in the batch."""
    Attempt.objects.bulk_create(
        Attempt(event_id=id_, number=attempts, at=Now(), worker=worker, kind=STRIKE, message=message)
        for id_, attempts in events
    )
