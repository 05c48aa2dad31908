"""Which dead letters an operator means, by their ids or by what they have in common."""

from __future__ import annotations

from uuid import UUID

import msgspec

from events.dead_letters import Filter
from events.models import DeadLetter
from events.models.dead_letter import DeadLetterQuerySet


# A misspelt field must not widen what is changed: unknown ones are refused.
class Selection(msgspec.Struct, forbid_unknown_fields=True):
    """What an operator asks for: `ids` or a `filter`, not both, not neither."""

    ids: list[UUID] | None = None
    filter: Filter | None = None
    note: str = ""

    ALLOWED = '{"ids": [event_id, ...]} or {"filter": {"event_type": ..., "did": ..., "reason": ...}}; "note"'

    def dead(self) -> DeadLetterQuerySet:
        """The dead letters asked for."""
        if self.ids is None:
            return (self.filter or Filter()).chosen()
        return DeadLetter.objects.dead().filter(event__event_id__in=self.ids)
