"""The pipeline's figures at moments of the past: fine for a day, coarse for a month, and no further."""

from __future__ import annotations

from django.db import models


class Sample(models.Model):
    """The figures of one moment in a slot of `step` seconds; no slot has two.

    Counters are since the log began. Gauges are those of the moment; in a coarse slot, the worst of its moments.
    """

    step = models.SmallIntegerField(help_text="seconds that a slot is long")
    slot = models.BigIntegerField(help_text="seconds since 1970 by `step`, rounded down")
    taken_at = models.DateTimeField(help_text="by the database's clock; in a coarse slot, of its last moment")
    received = models.BigIntegerField(default=0, help_text="ids that the log has given: repeated events may be in it")
    processed = models.BigIntegerField(default=0, help_text="events applied")
    failed = models.BigIntegerField(default=0, help_text="attempts that failed")
    latency = models.JSONField(default=list, help_text="events applied by bucket of events.latency")
    ready = models.JSONField(default=list, help_text="pending events that may be applied, by priority from 0 on")
    waiting = models.IntegerField(default=0, help_text="pending events that wait")
    dead = models.IntegerField(default=0)
    oldest_seconds = models.FloatField(default=0, help_text="since the receipt of the oldest ready event")
    workers = models.SmallIntegerField(default=0, help_text="processes alive; in a coarse slot, the fewest")
    seconds = models.FloatField(default=0, help_text="seconds that the database took for these figures")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["step", "slot"], name="events_sample_slot")]

    def __str__(self) -> str:
        return f"{self.step} s until {self.taken_at:%Y-%m-%d %H:%M:%S}"


class Pipeline(Sample):
    """The same rows under the name of the page that shows them, so that it has its own place and permission."""

    class Meta:
        proxy = True
        verbose_name = verbose_name_plural = "pipeline"
        default_permissions = ("view",)
