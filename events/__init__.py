"""The event log and everything that moves on it. README.md beside this file draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.exceptions import EnvelopeError, PermanentError
from events.registry import processor

if TYPE_CHECKING:
    from events.log.append import Appended, aappend, append
    from events.log.entry import Entry

__all__ = ["Appended", "Entry", "EnvelopeError", "PermanentError", "aappend", "append", "processor"]


def __getattr__(name: str) -> Any:
    # Late, since Django imports this package before it has read its settings.
    if name in ("Appended", "aappend", "append"):
        from events.log import append as module

        return getattr(module, name)
    if name == "Entry":
        from events.log.entry import Entry

        return Entry
    raise AttributeError(f"module 'events' has no attribute {name!r}")
