"""Committed batches: when, and by which worker, events were applied."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from events.models.fields import IdsField


class Batch(models.Model):
    """Events that one worker applied in one transaction. An event is in at most one batch.

    No row spans 100,000 ids: a look-up by id reads a bounded range.
    """

    last_id = models.BigIntegerField(primary_key=True, help_text="the highest of its ids")
    first_id = models.BigIntegerField(help_text="the lowest of its ids")
    finished_at = models.DateTimeField(default=timezone.now)
    worker = models.CharField(max_length=300, default="", blank=True, help_text="host and pid")
    ids = IdsField(null=True, help_text="null where there is only one")

    class Meta:
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return f"batch of events {self.first_id} to {self.last_id}"

    @property
    def all_ids(self) -> list[int]:
        """The ids of its events."""
        return self.ids or [self.last_id]
