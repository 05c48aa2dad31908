"""Counters that never go backwards, whatever becomes of the processes that counted."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """What was done in one lane since the log began.

    A batch adds to the tally of one of its lanes in its own transaction, so that the sum is right even if the worker is
    killed; and as it holds the lane, no other batch waits for the row. An event whose
    commit was refused counts its failure without the lane, and may wait.
    """

    lane = models.SmallIntegerField(primary_key=True)
    processed = models.BigIntegerField(default=0, help_text="events applied")
    failed = models.BigIntegerField(default=0, help_text="attempts that failed")

    def __str__(self) -> str:
        return f"tally of lane {self.lane}"


class Departed(models.Model):
    """One row: the seconds of all workers whose rows are deleted."""

    ONLY = 1  # its id

    busy_seconds = models.FloatField(default=0)
    available_seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return "workers departed"
