"""The histogram of latencies since the log began, one row a bucket that was ever hit."""

from __future__ import annotations

from django.db import connection, models

from events.latency import Latencies

# The same on PostgreSQL and SQLite. Rows in one order everywhere: two workers that add at once don't deadlock.
ADD = """
insert into events_latency (event_type, priority, bucket, events, seconds) values {rows}
on conflict (event_type, priority, bucket) do update
set events = events_latency.events + excluded.events, seconds = events_latency.seconds + excluded.seconds
"""


class LatencyQuerySet(models.QuerySet):
    def add(self, latencies: Latencies) -> None:
        """Add what a worker has seen."""
        if not latencies:
            return
        rows = sorted(latencies.items())
        values = [value for key, (events, total) in rows for value in (*key, events, total / 1_000_000)]
        with connection.cursor() as cursor:
            cursor.execute(ADD.format(rows=", ".join(["(%s, %s, %s, %s, %s)"] * len(rows))), values)


class Latency(models.Model):
    """Events of one type and priority that took as long as one bucket of `events.latency.BOUNDS` says."""

    event_type = models.CharField(max_length=100)
    priority = models.SmallIntegerField()
    bucket = models.SmallIntegerField()
    events = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0, help_text="the sum of theirs")

    objects = LatencyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event_type", "priority", "bucket"], name="events_latency_bucket"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} priority {self.priority} bucket {self.bucket}"
