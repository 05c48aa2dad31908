"""Events in the states that tests need: made as users make them, then moved as workers and operators do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from model_bakery import baker

from events.log.dead_letters import bury as bury_pending
from events.models import Batch, DeadLetter, Event, Pending

DIGEST = "0123456789abcdef" * 2  # of any content


def pending(*, available_at: datetime | None = None, attempts: int = 0, suspect: bool = False, **fields: Any) -> Event:
    """A pending event; `available_at` (None: ready), `attempts` and `suspect` are of its pending row."""
    event: Event = baker.make(Event, **fields)
    pending_row(event).update(available_at=available_at, attempts=attempts, suspect=suspect)
    return event


def pending_row(event: Event) -> Any:
    """The queryset of an event's pending row."""
    return Pending.objects.filter(key=event.key, id=event.pk)


def dead(
    *,
    reason: str = "",
    error: str = "",
    attempts: int = 1,
    died_at: datetime | None = None,
    discarded_at: datetime | None = None,
    note: str = "",
    **fields: Any,
) -> DeadLetter:
    """A dead letter; with `discarded_at`, a discarded one. Other fields are of its event."""
    event: Event = baker.make(Event, **fields)
    pending_row(event).delete()
    letter: DeadLetter = baker.make(
        DeadLetter,
        event=event,
        event_type=event.event_type,
        did=event.did,
        reason=reason,
        error=error,
        attempts=attempts,
        died_at=died_at or timezone.now(),
        discarded_at=discarded_at,
        note=note,
    )
    return letter


def done(*, finished_at: datetime | None = None, worker: str = "host:1", **fields: Any) -> Event:
    """An event that was applied, in a batch of its own."""
    event: Event = baker.make(Event, **fields)
    pending_row(event).delete()
    Batch.objects.create(
        last_id=event.pk, first_id=event.pk, ids=[event.pk], worker=worker, finished_at=finished_at or timezone.now()
    )
    return event


def state_of(event: Event | int) -> Any:
    """An event with its derived state, read anew."""
    return Event.objects.with_state().get(pk=event if isinstance(event, int) else event.pk)


def bury(event: Event, error: str, reason: str = "") -> DeadLetter:
    """Make a dead letter of a pending event, as a worker does."""
    bury_pending([event.pk], error=error, reason=reason)
    return DeadLetter.objects.get(pk=event.pk)
