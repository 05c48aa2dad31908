"""Failed attempts: what went wrong each time that an event was tried, where, and when."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from events.models.event import Event

MESSAGE_LENGTH = 1_000  # characters
TRACE_LENGTH = 8_000  # characters: a traceback's end, which names the error


class Attempt(models.Model):
    """One failed attempt, of the newest 20 of its event. Written with its verdict, deleted with its event."""

    id = models.BigAutoField(primary_key=True)
    # Without a constraint in the database: it would look here for each event that is pruned.
    event = models.ForeignKey(Event, models.CASCADE, related_name="failures", db_constraint=False, db_index=False)
    number = models.SmallIntegerField(help_text="the event's attempts when it failed; they begin anew with a requeue")
    at = models.DateTimeField(default=timezone.now)
    worker = models.CharField(max_length=300, default="", blank=True, help_text="host and pid")
    kind = models.CharField(max_length=200, help_text="the exception's type")
    message = models.TextField(default="", blank=True)
    trace = models.TextField(default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["event", "-id"], name="events_attempt_of_event")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"
