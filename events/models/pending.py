"""Pending work: one narrow row for each event that is not applied yet."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from events.lanes import lane_of
from events.models.event import Event

READY = Q(available_at=None, suspect=False)
DUE = Q(available_at__isnull=False, suspect=False)


class Pending(models.Model):
    """An event that is to be applied. The row is inserted with the event and deleted when the event is done or dead.

    Three kinds of row, each in its own partial index: *ready* (`available_at` is null: may be applied since its
    receipt), *due* (`available_at` has a time: retried, snoozed or requeued) and *suspect* (was in the batch of a
    worker that died; runs alone). A row that was not ready never returns to null: reads of ready rows start above a
    watermark, and its id may lie below.
    """

    pk = models.CompositePrimaryKey("key", "id")
    key = models.BigIntegerField(help_text="of the event's DID")
    id = models.BigIntegerField(help_text="of the event")
    lane = models.SmallIntegerField()
    priority = models.SmallIntegerField()
    available_at = models.DateTimeField(null=True, help_text="from when it may be applied; null: since its receipt")
    attempts = models.SmallIntegerField(default=0, db_default=0, help_text="attempts that failed")
    crashes = models.SmallIntegerField(
        default=0, db_default=0, help_text="worker processes that died while it ran alone in them"
    )
    suspect = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            models.Index("lane", F("priority").desc(), "id", name="events_ready", condition=READY),
            models.Index("lane", F("priority").desc(), "available_at", name="events_due", condition=DUE),
            models.Index(
                fields=["key", "id"], name="events_blocked", condition=Q(available_at__isnull=False) | Q(suspect=True)
            ),
            models.Index(fields=["id"], name="events_suspects", condition=Q(suspect=True)),
        ]

    def __str__(self) -> str:
        return f"pending event {self.id}"

    @classmethod
    def of(cls, event: Event, lanes: int, *, id_given: bool) -> Pending:
        """The row of a new event; one whose id was given may lie below a watermark and is found by its time."""
        return cls(
            key=event.key,
            id=event.pk,
            lane=lane_of(event.key, lanes),
            priority=event.priority,
            available_at=Now() if id_given else None,
        )


@receiver(pre_delete, sender=Event)
def _delete_with_event(instance: Event, **_: object) -> None:
    """Delete the pending row of a deleted event. No foreign key does: it would be looked up for each pruned event."""
    Pending.objects.filter(key=instance.key, id=instance.pk).delete()
