"""Verify the log: each event is in exactly one place, and each pending row in a lane that exists.

An event is pending, a dead letter, or in a batch. One that is in none would never be applied, and one that is in two
would be applied twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from events.log.database import run, unlocked
from events.models import Audit, Event

CHUNK = 20_000  # ids verified in one statement
PERIOD = 10.0  # seconds, about, between two chunks of the background audit, by whichever worker comes first
EXAMPLES = 20  # ids kept


class Fault(NamedTuple):
    """One event that is not where it should be."""

    id: int
    problem: str


def verify(after: int = 0) -> Iterator[tuple[int, list[Fault]]]:
    """Verify the log from the id `after` on; yields the last id of each chunk, and the faults in it."""
    highest = Event.objects.aggregate(highest=Max("id"))["highest"] or 0
    while after < highest:
        upto = min(after + CHUNK, highest)
        yield upto, verify_range(after, upto)
        after = upto


def verify_range(after: int, upto: int) -> list[Fault]:
    """The faults among the events with `after` < id <= `upto`, as one statement sees them."""
    return [
        Fault(id_, f"in {places} places at once" if places else "in no table: it would never be applied")
        for id_, places in run("places", after=after, upto=upto)
    ]


def outside_lanes() -> list[Fault]:
    """The pending events of lanes that don't exist: no worker would fetch them."""
    rows = run("outside_lanes", examples=EXAMPLES)
    return [Fault(id_, "pending in a lane that does not exist") for (id_,) in rows]


class Auditor:
    """The background audit: a chunk at a time, by whichever worker comes first."""

    def seconds_until_next(self) -> float:
        """Seconds to the next chunk: random, so that worker processes take turns."""
        return PERIOD * random.uniform(0.5, 1.5)  # noqa: S311 - no secret

    def advance(self) -> None:
        """Verify the next chunk, unless another worker is at it."""
        Audit.objects.get_or_create(pk=Audit.ONLY)
        with transaction.atomic():
            audit = unlocked(Audit.objects.filter(pk=Audit.ONLY)).first()
            if audit is None:
                return
            upto, faults = next(verify(audit.last_id), (None, []))
            # A chunk that is not full is the last: where events are appended all the time, no other end is seen.
            ended = upto is None or upto < audit.last_id + CHUNK
            if ended:
                faults = faults + outside_lanes()
            found = audit.found + len(faults)
            changes: dict[str, Any] = {"found": found, "last_id": upto, "faults": max(audit.faults, found)}
            if ended:
                changes = {"found": 0, "last_id": 0, "faults": found, "completed_at": Now()}
            examples = [fault.id for fault in faults] or (audit.examples if changes["faults"] else [])
            Audit.objects.filter(pk=Audit.ONLY).update(examples=examples[:EXAMPLES], **changes)
