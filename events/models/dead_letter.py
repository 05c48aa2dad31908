"""Dead letters: events that can't be applied, or that were discarded."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from events.models.event import Event
from events.reasons import REASON_LENGTH


class DeadLetterQuerySet(models.QuerySet):
    def dead(self) -> DeadLetterQuerySet:
        """Those that are not discarded."""
        return self.filter(discarded_at=None)


class DeadLetter(models.Model):
    """An event that can't be applied: `error` says why. Discarded, it stays until it is pruned."""

    event = models.OneToOneField(
        Event, models.CASCADE, primary_key=True, db_column="id", db_constraint=False, related_name="dead_letter"
    )
    event_type = models.CharField(max_length=100)
    did = models.CharField(max_length=2048)
    reason = models.CharField(
        max_length=REASON_LENGTH, default="", blank=True, help_text="the error without what differs between events"
    )
    error = models.TextField(default="", blank=True)
    attempts = models.SmallIntegerField(default=0, help_text="times that it was applied")
    died_at = models.DateTimeField(default=timezone.now)
    discarded_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(default="", blank=True, help_text="why it was discarded")

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        db_table = "events_dead_letter"
        default_permissions = ("view",)
        permissions = [
            ("requeue_deadletter", "Can requeue dead letters"),
            ("edit_deadletter", "Can edit and requeue dead letters"),
            ("discard_deadletter", "Can discard dead letters"),
        ]
        # Each filter of the dead letters with the order of their pages: no page sorts, none reads the log.
        indexes = [
            models.Index(F("event").desc(), name="events_dead", condition=Q(discarded_at=None)),
            models.Index(fields=["-died_at", "-event"], name="events_dead_time", condition=Q(discarded_at=None)),
            *(
                models.Index(
                    fields=[by, "-died_at", "-event"], name=f"events_dead_{name}", condition=Q(discarded_at=None)
                )
                for by, name in (("reason", "reason"), ("event_type", "type"), ("did", "did"))
            ),
            models.Index(fields=["discarded_at"], name="events_discarded", condition=Q(discarded_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event.event_id}"
