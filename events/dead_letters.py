"""Which dead letters are meant: one filter for the admin, the API, the command and bulk actions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from events.models import DeadLetter
from events.models.dead_letter import DeadLetterQuerySet

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Filter(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which dead letters; without any field, all of them. Each field alone is served by an index."""

    event_type: str | None = None
    did: str | None = None
    reason: str | None = None
    since: Moment | None = None  # died then or later
    until: Moment | None = None  # died before
    asked: Moment | None = None  # had died by then: what a decision of that moment is about

    LOOKUPS = {"since": "died_at__gte", "until": "died_at__lt", "asked": "died_at__lte"}

    def __post_init__(self) -> None:
        # PostgreSQL takes no offset of 16 hours or more, which RFC 3339 allows.
        for name in ("since", "until", "asked"):
            moment = getattr(self, name)
            try:
                setattr(self, name, moment and moment.astimezone(UTC))
            except OverflowError:
                raise ValueError(f"{name}: {moment} is not in the years 1 to 9999 of UTC") from None

    @property
    def given(self) -> dict[str, Any]:
        """The fields that narrow it."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}

    def chosen(self) -> DeadLetterQuerySet:
        """The dead letters that match."""
        lookups = {self.LOOKUPS.get(name, name): value for name, value in self.given.items()}
        return DeadLetter.objects.dead().filter(**lookups)

    def count(self, limit: int) -> int:
        """How many match, counted up to `limit`."""
        return self.chosen().order_by()[:limit].count()
