"""What a synthetic network is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

SHARES = {  # of a hundred events; updates and deletions choose among recent records
    "relationship.created": 45,
    "relationship.updated": 11,
    "relationship.deleted": 4,
    "attestation.created": 30,
    "attestation.updated": 3,
    "attestation.deleted": 2,
    "entity.profile.updated": 4,
    "trust.invalidated": 1,
}


@dataclass(frozen=True, slots=True)
class Mix:
    """How the events of a network differ from plain ones. Shares are 0-1."""

    hostile: float = 0.0  # relationships and attestations that fit no type: each must end dead
    duplicates: float = 0.0  # events that come again, as they were or under a new event_id
    mixed_priorities: bool = False  # else all are NORMAL
    rev: bool = False  # events carry their repository's revision
    occurred_at: bool = False  # events carry the time of their change
    start: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    pace: float = 30.0  # seconds of the network's time from one event to the next, on average


PLAIN = Mix()
