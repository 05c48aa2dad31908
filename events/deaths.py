"""How many events died lately."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from events.models import DeadLetter

HOUR = timedelta(hours=1)
NEWEST = 10_000  # dead events that are counted


def within(period: timedelta) -> int:
    """How many events died in the last `period`, counted up to NEWEST."""
    return DeadLetter.objects.dead().filter(died_at__gt=Now() - period).order_by("-died_at", "-event")[:NEWEST].count()
