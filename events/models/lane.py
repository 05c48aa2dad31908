"""Lanes: what a worker holds while it applies events."""

from __future__ import annotations

from django.db import models

from events.conf import conf
from events.exceptions import LaneCountError


class Lane(models.Model):
    """One unit of order and of ownership. Its row is locked for the length of a step and never written."""

    id = models.SmallIntegerField(primary_key=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"lane {self.pk}"

    @staticmethod
    def ensure() -> None:
        """Make the lanes that are missing. Raises LaneCountError where `check_count` does."""
        existing = Lane.check_count()
        Lane.objects.bulk_create([Lane(id=n) for n in range(conf.lanes) if n not in existing], ignore_conflicts=True)

    @staticmethod
    def check_count(*, using: str = "default") -> set[int]:
        """The lanes that there are.

        Raises LaneCountError if the log was made with more lanes than `EVENT_LANES` says, or with fewer: the
        events of one DID would stand in two lanes, and their order be lost.
        """
        existing = set(Lane.objects.using(using).values_list("id", flat=True))
        if existing and len(existing) != conf.lanes:
            was = len(existing)
            raise LaneCountError(f"EVENT_LANES is {conf.lanes}, but this log was made with {was} lanes: set it back")
        return existing
