"""How far the background audit of the log has come, and what it found."""

from __future__ import annotations

from django.db import models


class Audit(models.Model):
    """One row. Workers advance it in turn, a chunk of ids at a time, from the log's beginning to its end and again."""

    ONLY = 1  # its id

    last_id = models.BigIntegerField(default=0, help_text="events up to this id were verified in the present pass")
    found = models.IntegerField(default=0, help_text="faults found in the present pass")
    faults = models.IntegerField(default=0, help_text="faults found in the last whole pass, or more in the present one")
    examples = models.JSONField(default=list, help_text="ids of some events with faults")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="of the last whole pass")

    def __str__(self) -> str:
        return f"audit up to event {self.last_id}"
