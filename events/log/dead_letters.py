"""Requeue, discard and amend dead letters. Each changes only letters that are still dead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import transaction

from events.envelope import NewEvent
from events.log.append import append_new
from events.log.append_protocol import Appended
from events.log.database import array, changed
from events.models import DeadLetter, Event
from events.reasons import reason_of
from events.wakeup import notify

CHUNK = 500  # rows changed in one statement: short locks, whatever the number asked for


def append_dead(event: NewEvent, error: str) -> Appended:
    """Append an event that can never be applied, as a dead letter with this error, in one transaction.

    For sources that must not lose what they can't read. A duplicate changes nothing.
    """

    def bury_new(appended: list[Appended]) -> None:
        if appended[0].status == "enqueued":
            ids = list(Event.objects.filter(event_id=event.event_id).values_list("pk", flat=True))
            bury(ids, error=error, reason=reason_of("", error))

    [appended] = append_new([event], then=bury_new)
    return appended


def requeue(ids: Iterable[int]) -> int:
    """Make dead events pending again, with all their attempts before them; the number that were still dead."""
    requeued = sum(changed("requeue", ids=array(chunk)) for chunk in _chunks(ids))
    if requeued:
        transaction.on_commit(notify)
    return requeued


def discard(ids: Iterable[int], *, note: str = "") -> int:
    """Discard dead events, saying why in `note`; the number that were still dead."""
    return sum(changed("discard", ids=array(chunk), note=note) for chunk in _chunks(ids))


def bury(ids: Iterable[int], *, error: str = "", reason: str = "", discarded: bool = False, note: str = "") -> int:
    """Make dead letters of pending events; the number that were still pending. Their worker repeats its batch."""
    return changed("bury", ids=array(ids), error=error, reason=reason, discarded=discarded, note=note)


def amend(letter: DeadLetter, payload: dict[str, Any]) -> bool:
    """Give a dead event another payload and make it pending again; False if the letter has changed since it was read.

    Of two operators who amend the same letter one succeeds, even if the event has died again since. The digest stays
    that of what was sent, so that a repeated POST of it is a duplicate and undoes nothing.
    """
    with transaction.atomic():
        held = DeadLetter.objects.dead().filter(pk=letter.pk).select_for_update().only("died_at").first()
        # Compared here: SQLite compares times as texts, and its own clock spells them in another way than Django.
        if held is None or held.died_at != letter.died_at:
            return False
        Event.objects.filter(pk=letter.pk).update(payload=payload)
        return requeue([letter.pk]) == 1


def _chunks(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """In ascending order: two operators who change the same letters don't deadlock."""
    ordered = sorted(ids)
    return (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))
