"""Dead letters: the events that ended dead, under a name of their own."""

from __future__ import annotations

from events.models.event import Event


class DeadLetter(Event):
    """An event that is dead: the same row, so that it can have its own list and its own permissions."""

    class Meta:
        proxy = True
