from __future__ import annotations

from cachecore import cache
from events import Entry, processor
from rhiz.graph import keys, upsert
from rhiz.graph.models import Relationship
from rhiz.graph.payloads.relationship import SHAPE, decode


@processor("relationship.created", "relationship.updated", "relationship.deleted", decode=decode, shape=SHAPE)
def apply(entries: list[Entry]) -> None:
    """Leave each relationship at the newest version of it that was ever applied."""
    rows = [entry.record for entry in entries]
    before = upsert.write(Relationship, rows, returning=("participant_a", "participant_b"))
    cache.invalidate(keys.touched_by_relationships(rows, before))
