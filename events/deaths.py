"""How many events died lately."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from events.models import Event

HOUR = timedelta(hours=1)
NEWEST = 10_000  # dead events that are looked at: old dead letters that nobody cleared make a count no dearer


def within(period: timedelta) -> int:
    """How many of the newest dead events died in the last `period`."""
    newest = Event.objects.dead().order_by("-id").values("id")[:NEWEST]
    return Event.objects.filter(id__in=newest, finished_at__gt=Now() - period).count()
