"""Worker processes, as their heartbeats tell of them."""

from __future__ import annotations

from datetime import timedelta

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from events.models.tally import Departed

HEARTBEAT = 1.0  # seconds between two heartbeats
SILENCE = 15.0  # seconds without one, after which a worker on another host is taken for dead
KEPT = timedelta(hours=24)  # how long the row of a worker that ended is kept


class WorkerQuerySet(models.QuerySet):
    def ended_long_ago(self) -> WorkerQuerySet:
        return self.filter(Q(stopped_at__lt=Now() - KEPT) | Q(died_at__lt=Now() - KEPT))

    def alive(self) -> WorkerQuerySet:
        """Those that are registered and have a recent heartbeat."""
        return self.filter(stopped_at=None, died_at=None, heartbeat_at__gt=Now() - timedelta(seconds=SILENCE))

    def forget(self) -> int:
        """Delete these rows and keep their seconds in `Departed`, in one transaction; how many."""
        with transaction.atomic():
            rows = list(self.order_by("pk").select_for_update().values_list("pk", "busy_seconds", "available_seconds"))
            if rows:
                departed = Departed.objects
                departed.get_or_create(pk=Departed.ONLY)
                departed.filter(pk=Departed.ONLY).update(
                    busy_seconds=F("busy_seconds") + sum(busy for _, busy, _ in rows),
                    available_seconds=F("available_seconds") + sum(available for _, _, available in rows),
                )
                Worker.objects.filter(pk__in=[pk for pk, _, _ in rows]).delete()
        return len(rows)


class Worker(models.Model):
    """One worker process, from its registration to its deregistration or its death.

    A worker that ends by itself sets `stopped_at`. One that does not is found dead by another, which sets `died_at` and
    makes suspects of the events that it had announced.
    """

    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    process_started = models.FloatField(help_text="seconds since 1970, of the process: pids are used again")
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)
    died_at = models.DateTimeField(null=True, blank=True)
    announced = models.JSONField(default=list, help_text="ids of the events in its batch, while the fleet is careful")
    alone = models.BooleanField(default=False, help_text="the announced event is a suspect, alone in the process")
    slots = models.SmallIntegerField(default=0, help_text="steps that it may run at once")
    processed = models.BigIntegerField(default=0, help_text="events applied since it started")
    failed = models.BigIntegerField(default=0, help_text="attempts that failed since it started")
    busy_seconds = models.FloatField(default=0)
    available_seconds = models.FloatField(default=0)
    minute_processed = models.IntegerField(default=0, help_text="events applied in the last minute")
    minute_busy = models.FloatField(default=0, help_text="busy seconds in the last minute")
    minute_seconds = models.FloatField(default=0, help_text="how long this minute was")
    minute_available = models.FloatField(default=0, help_text="available seconds in the last minute")
    minute_latency = models.JSONField(default=list, help_text="events of the last minute by bucket of events.latency")
    batches = models.JSONField(default=list, help_text="running at the heartbeat: events, lanes and seconds of each")
    idle_seconds = models.FloatField(default=0, help_text="since it last made progress, at its heartbeat")
    failing_lanes = models.JSONField(default=list, help_text="lanes whose batches keep failing, and by which error")
    low_watermarks = models.JSONField(default=list, help_text="by priority: see events/worker/watermarks.py")

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
