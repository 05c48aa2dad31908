"""Every error that `events` raises on purpose."""

from __future__ import annotations


class EventError(Exception):
    """Base of the errors below."""


class EnvelopeError(EventError, ValueError):
    """What a caller sent is not an event: which field, what was wrong with it, what is allowed.

    `status` is the HTTP status that says so (400, or 413 for a payload over its limit).
    """

    def __init__(self, field: str, problem: str, allowed: str, *, status: int = 400) -> None:
        super().__init__(f"{field}: {problem}; allowed: {allowed}")
        self.field = field
        self.problem = problem
        self.allowed = allowed
        self.status = status


class PermanentError(EventError):
    """Raised by a processor (or its `decode`) for an event that no retry can mend: it is dead-lettered at once."""
