from __future__ import annotations

from cachecore import cache
from events import Entry, processor
from rhiz.graph import keys
from rhiz.graph.payloads.trust import SHAPE, decode


@processor("trust.invalidated", decode=decode, shape=SHAPE)
def apply(entries: list[Entry]) -> None:
    """Change no table: trust is computed when it is read. What was computed of these DIDs is not told any more."""
    cache.invalidate(keys.touched_by_trust(entry.record for entry in entries))
