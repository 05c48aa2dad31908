"""Decisions about many dead letters at once: asked by an operator, carried out by workers batch after batch."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class BulkAction(models.Model):
    """One decision about all dead letters that matched a filter when it was asked.

    A worker locks its row, moves `cursor` over the next dead letters and changes those that match, in one transaction.
    If the process dies, that is rolled back, and the next one begins at the same place.
    """

    class Verb(models.TextChoices):
        REQUEUE = "requeue", "requeue"
        DISCARD = "discard", "discard"

    class State(models.IntegerChoices):
        RUNNING = 0, "running"
        FINISHED = 1, "finished"
        STOPPED = 2, "stopped"

    verb = models.CharField(max_length=10, choices=Verb)
    filter = models.JSONField(default=dict, help_text="which letters: fields of events.dead_letters.Filter")
    note = models.TextField(default="", blank=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(help_text="letters that died later are not changed")
    upto = models.BigIntegerField(help_text="the highest id of a dead letter when it was asked")
    expected = models.IntegerField(help_text="letters that matched when it was asked, as far as they were counted")
    cursor = models.BigIntegerField(default=0, help_text="letters up to this id were looked at")
    changed = models.IntegerField(default=0, help_text="letters that it has changed")
    state = models.SmallIntegerField(choices=State, default=State.RUNNING)
    touched_at = models.DateTimeField(null=True, help_text="of its last batch")
    ended_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["id"], name="events_bulk_running", condition=models.Q(state=0))]
        default_permissions = ("view",)
        permissions = [("stop_bulkaction", "Can stop bulk actions")]

    def __str__(self) -> str:
        return f"{self.verb} of {self.expected} dead letters"

    @property
    def running(self) -> bool:
        return self.state == self.State.RUNNING
