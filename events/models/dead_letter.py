"""Dead letters: the events that ended dead, under a name of their own."""

from __future__ import annotations

from events.models.event import Event


class DeadLetter(Event):
    """An event that is dead: the same row, so that it can have its own list and its own permissions."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        permissions = [
            ("requeue_deadletter", "Can requeue dead letters"),
            ("edit_deadletter", "Can edit and requeue dead letters"),
            ("discard_deadletter", "Can discard dead letters"),
        ]
