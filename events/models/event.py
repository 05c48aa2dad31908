"""The log's one table, and the transitions that an operator may ask for."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from events.models.fields import AvailableAtField, DigestField, LaneField, VersionField
from events.reasons import REASON_LENGTH

CHUNK = 500  # rows changed in one statement by an operator's action: short locks, whatever the number asked for


class EventQuerySet(models.QuerySet):
    def pending(self) -> EventQuerySet:
        return self.filter(state=Event.State.PENDING)

    def dead(self) -> EventQuerySet:
        return self.filter(state=Event.State.DEAD)

    def requeue(self, ids: Iterable[int] | None = None) -> int:
        """Make dead events pending again, with all their tries before them; the number that were still dead.

        Of `ids`, else of the whole queryset; in chunks, each its own statement. An event that was refused when
        it was received (its payload can't be stored) stays dead.
        """
        return self._in_chunks(
            ids,
            only=Q(state=Event.State.DEAD, raw=None),
            state=Event.State.PENDING,
            available_at=models.functions.Now(),
            finished_at=None,
            reason="",
            attempts=0,
            crashes=0,
            suspect=False,
        )

    def discard(self, ids: Iterable[int] | None = None, *, note: str = "") -> int:
        """Give up pending or dead events, saying why in `note`; the number that still were either."""
        changes: dict[str, object] = {"state": Event.State.DISCARDED, "finished_at": models.functions.Now()}
        if note:
            changes["last_error"] = f"discarded: {note}"
        return self._in_chunks(ids, only=Q(state__in=(Event.State.PENDING, Event.State.DEAD)), **changes)

    def _in_chunks(self, ids: Iterable[int] | None, *, only: Q, **changes: object) -> int:
        """Update the rows that still satisfy `only` and this queryset, by ascending id, CHUNK at a time."""
        rows = self.order_by("id") if ids is None else self.filter(id__in=list(ids)).order_by("id")
        changed, last = 0, 0
        while chunk := list(rows.filter(only, id__gt=last).values_list("id", flat=True)[:CHUNK]):
            last = chunk[-1]
            changed += self.order_by().filter(only, id__in=chunk).update(**changes)
        return changed


class Event(models.Model):
    """One event, from receipt to its end.

    It is `pending` until it is `done` (its effects are in the tables), `dead` (it can't be applied, `last_error`
    says why) or `discarded` (an operator gave it up). What is being applied is locked by its lane, not marked.
    """

    class State(models.IntegerChoices):
        PENDING = 0, "pending"
        DONE = 1, "done"
        DEAD = 2, "dead"
        DISCARDED = 3, "discarded"

    class Priority(models.IntegerChoices):
        LOW = 0, "low"
        NORMAL = 1, "normal"
        HIGH = 2, "high"
        CRITICAL = 3, "critical"

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    event_type = models.CharField(max_length=100)
    did = models.CharField(max_length=2048)
    lane = LaneField(default=None, editable=False)
    priority = models.SmallIntegerField(choices=Priority, default=Priority.NORMAL)
    payload = models.JSONField(default=dict)
    raw = models.BinaryField(
        null=True, editable=False, help_text="the payload's bytes, where they can't be stored as JSON"
    )
    digest = DigestField(max_length=32, default="", editable=False)
    rev = models.CharField(max_length=13, null=True, blank=True)
    occurred_at = models.DateTimeField(null=True, blank=True)
    version = VersionField(default=None, editable=False)
    state = models.SmallIntegerField(choices=State, default=State.PENDING)
    attempts = models.SmallIntegerField(default=0, help_text="times that it was applied, with success or not")
    crashes = models.SmallIntegerField(default=0, help_text="worker processes that died while it ran alone in them")
    suspect = models.BooleanField(default=False, help_text="was in the batch of a worker that died: runs alone")
    available_at = AvailableAtField(default=None)
    received_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(default="", blank=True)
    # With a default in the database: workers of the version before append rows too while the fleet is replaced.
    reason = models.CharField(
        max_length=REASON_LENGTH,
        default="",
        db_default="",
        blank=True,
        help_text="of a dead event: its error without what differs from event to event",
    )
    request_id = models.CharField(
        max_length=64, null=True, blank=True, editable=False, help_text="of the HTTP request that brought it"
    )
    traceparent = models.CharField(
        max_length=55, null=True, blank=True, editable=False, help_text="of the same request, where it had one"
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        # An event that waits for its time is in `events_deferred` and not in `events_ready`: however many wait,
        # a worker that looks for work does not step over them. Why `id + 0`: see events/log/postgres.
        indexes = [
            models.Index(
                "lane",
                F("priority").desc(),
                F("id") + 0,
                name="events_ready",
                condition=Q(state=0, suspect=False, available_at__lte=F("received_at")),
            ),
            models.Index(
                fields=["lane", "available_at"],
                name="events_deferred",
                condition=Q(state=0, suspect=False, available_at__gt=F("received_at")),
            ),
            models.Index("did", F("id") + 0, name="events_unfinished", condition=Q(state=0)),
            models.Index(fields=["available_at"], name="events_suspects", condition=Q(state=0, suspect=True)),
            models.Index(fields=["-id"], name="events_dead", condition=Q(state=2)),
            models.Index(fields=["-id"], name="events_discarded", condition=Q(state=3)),
            # With `events_unfinished`, all events of a DID; an append does not touch it.
            models.Index("did", F("id") + 0, name="events_ended", condition=Q(state__gt=0)),
            # Each filter of the dead letters with the order of their pages: no page sorts, none reads the log.
            models.Index(fields=["-finished_at", "-id"], name="events_dead_time", condition=Q(state=2)),
            *(
                models.Index(fields=[by, "-finished_at", "-id"], name=f"events_dead_{name}", condition=Q(state=2))
                for by, name in (("reason", "reason"), ("event_type", "type"), ("did", "did"))
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(priority__gte=0, priority__lte=3), name="events_priority_known"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"

    def requeue(self) -> bool:
        """Make this dead event pending again; False if it no longer was dead."""
        return Event.objects.requeue([self.pk]) == 1

    def amend(self, payload: dict[str, Any]) -> bool:
        """Give this dead event another payload and make it pending again; False if it is no longer the letter shown.

        Of two who mend the same letter one is first, even if it has died again since. The digest stays that of what
        was sent, so that a sender who repeats himself hears "duplicate" and undoes nothing.
        """
        dead = Event.objects.dead().filter(pk=self.pk)
        with transaction.atomic(using=dead.db):
            held = dead.select_for_update().only("finished_at").first()
            # Compared here: SQLite compares times as texts, and its own clock spells them in another way than Django.
            if held is None or held.finished_at != self.finished_at:
                return False
            return dead.update(payload=payload, raw=None) == 1 and self.requeue()

    def discard(self, note: str = "") -> bool:
        """Give this event up; False if it had already ended otherwise."""
        return Event.objects.discard([self.pk], note=note) == 1
