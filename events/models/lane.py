"""Lanes: what a worker locks while it applies events."""

from __future__ import annotations

from django.db import models
from django.db.models import Max

from events.conf import conf


class Lane(models.Model):
    """One unit of order and of ownership. Its row is locked for the length of a batch and never written.

    The rows 0 to n-1 are made once, after `migrate`, for `EVENT_LANES`. From then on their number is a property of the
    log: appends and workers read it here, whatever their environment says.
    """

    id = models.SmallIntegerField(primary_key=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"lane {self.pk}"

    @staticmethod
    def ensure() -> None:
        """Make the lanes of a log that has none."""
        if Lane.count() == 0:
            Lane.objects.bulk_create([Lane(id=n) for n in range(conf.lanes)], ignore_conflicts=True)

    @staticmethod
    def count() -> int:
        """How many lanes the log has; 0 before they are made."""
        highest = Lane.objects.aggregate(highest=Max("id"))["highest"]
        return 0 if highest is None else int(highest) + 1
