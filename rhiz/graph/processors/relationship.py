from __future__ import annotations

from events import Entry, processor
from rhiz.graph import upsert
from rhiz.graph.models import Relationship
from rhiz.graph.payloads.relationship import decode


@processor("relationship.created", "relationship.updated", "relationship.deleted", decode=decode)
def apply(entries: list[Entry]) -> None:
    """Leave each relationship at the newest version of it that was ever applied."""
    upsert.write(Relationship, [entry.record for entry in entries])
