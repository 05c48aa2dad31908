"""The log: one row for each accepted event, written once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from events.models.fields import DigestField, KeyField, PayloadField, VersionField


class EventQuerySet(models.QuerySet):
    def with_state(self) -> EventQuerySet:
        """Annotate what is derived from the other tables, read in one statement: see `events.models.EventState`."""
        from events.models.state import EventState

        names = [field.name for field in EventState._meta.fields if not field.primary_key]
        # The filter makes it an inner join: SQLite reads the whole view for an outer one.
        rows = self.filter(status__isnull=False)
        return rows.annotate(**{name: F(f"status__{name}") for name in names})

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Create events with their pending rows. Raises ValueError for `ignore_conflicts` and `update_conflicts`."""
        from events.models.lane import Lane
        from events.models.pending import Pending

        if kwargs.get("ignore_conflicts") or kwargs.get("update_conflicts") or len(args) > 1:
            raise ValueError("events are created with their pending rows: use events.append to skip duplicates")
        events = list(objs)
        given = [event.pk is not None for event in events]
        with transaction.atomic(using=self.db):
            created: list[Any] = super().bulk_create(events, *args, **kwargs)
            lanes = Lane.count()
            Pending.objects.bulk_create(
                Pending.of(event, lanes, id_given=own) for event, own in zip(created, given, strict=True)
            )
        return created


class Event(models.Model):
    """One accepted event. What becomes of it stands in other tables: pending, a dead letter, or in a batch.

    The row is written once. Only an operator's amendment and privacy scrubbing change it later.
    """

    class State(models.IntegerChoices):
        PENDING = 0, "pending"
        DONE = 1, "done"
        DEAD = 2, "dead"
        DISCARDED = 3, "discarded"
        UNKNOWN = 4, "unknown"  # in no table, which must not be: `manage.py verify_log` looks for such events

    class Priority(models.IntegerChoices):
        LOW = 0, "low"
        NORMAL = 1, "normal"
        HIGH = 2, "high"
        CRITICAL = 3, "critical"

    # In the order that wastes no byte on alignment: those of eight bytes, other fixed lengths, then texts.
    id = models.BigAutoField(primary_key=True)
    key = KeyField(default=None, editable=False)
    version = VersionField(default=None, editable=False)
    received_at = models.DateTimeField(default=timezone.now)
    occurred_at = models.DateTimeField(null=True, blank=True)
    event_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    digest = DigestField(default="", editable=False)
    priority = models.SmallIntegerField(choices=Priority, default=Priority.NORMAL)
    event_type = models.CharField(max_length=100)
    did = models.CharField(max_length=2048)
    rev = models.CharField(max_length=13, null=True, blank=True)
    payload = PayloadField(default=dict)
    request_id = models.CharField(
        max_length=64, null=True, blank=True, editable=False, help_text="of the HTTP request that sent it"
    )
    traceparent = models.CharField(
        max_length=55, null=True, blank=True, editable=False, help_text="of the same request, where it had one"
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["key", "id"], name="events_of_key")]
        constraints = [
            models.CheckConstraint(condition=Q(priority__gte=0, priority__lte=3), name="events_priority_known"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row; a new event is also pending."""
        from events.models.lane import Lane
        from events.models.pending import Pending

        new, id_given = self._state.adding, self.pk is not None
        with transaction.atomic(using=kwargs.get("using") or self._state.db):
            super().save(*args, **kwargs)
            if new:
                Pending.of(self, Lane.count(), id_given=id_given).save(force_insert=True)
