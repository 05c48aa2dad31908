from __future__ import annotations

from events import Entry, processor
from rhiz.graph.payloads.trust import decode


@processor("trust.invalidated", decode=decode)
def apply(entries: list[Entry]) -> None:
    """Change no table: trust is computed when it is read, so an event that fits its type is simply done."""
