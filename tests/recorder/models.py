"""What the recorder's processor saw, in the order in which it saw it."""

from __future__ import annotations

from django.db import models


class Seen(models.Model):
    """One application of one event. Rolled back with the batch, like any effect."""

    event_id = models.UUIDField()
    did = models.TextField()
    number = models.IntegerField(default=0)
    pid = models.IntegerField()
    batch = models.IntegerField(help_text="events that the processor was given together")

    class Meta:
        ordering = ["id"]


class Tally(models.Model):
    """A row that many events write, as no well-made processor does."""

    total = models.IntegerField(default=0)
