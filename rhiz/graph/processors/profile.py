from __future__ import annotations

from cachecore import cache
from events import Entry, processor
from rhiz.graph import keys, upsert
from rhiz.graph.models import Profile
from rhiz.graph.payloads.profile import SHAPE, decode


@processor("entity.profile.updated", decode=decode, shape=SHAPE)
def apply(entries: list[Entry]) -> None:
    """Leave each DID's profile at the newest version of it that was ever applied."""
    rows = [entry.record for entry in entries]
    upsert.write(Profile, rows)
    cache.invalidate(keys.touched_by_profiles(rows))
