"""What became of an event, derived from the tables in one statement: a view, `events_state`."""

from __future__ import annotations

from django.db import models

from events.models.event import Event


class EventState(models.Model):
    """One row for each event. The view's SQL is in the migration.

    `attempts` counts the times that the event was applied, with success or not; of a done event, its kept failures
    and the attempt that succeeded. `error` is that of a dead letter, else of the newest failed attempt.
    """

    event = models.OneToOneField(
        Event, models.DO_NOTHING, primary_key=True, db_column="id", db_constraint=False, related_name="status"
    )
    state = models.SmallIntegerField(choices=Event.State)
    lane = models.SmallIntegerField()
    attempts = models.SmallIntegerField()
    crashes = models.SmallIntegerField()
    suspect = models.BooleanField()
    available_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=300)
    error = models.TextField()
    reason = models.TextField()
    note = models.TextField()

    class Meta:
        managed = False
        db_table = "events_state"

    def __str__(self) -> str:
        return f"state of event {self.pk}"
