"""W3C Trace Context's `traceparent`: version, trace, parent and flags, in hex. Pure."""

from __future__ import annotations

import re

# Version ff is no version; neither a trace nor a parent is all zeros; what follows is for versions after 00.
_match = re.compile(
    r"(?!ff)(?:00(?!.{53}.)|(?!00)[0-9a-f]{2}(?=.{53}(?:-|\Z)))"
    r"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}",
    re.DOTALL,
).match


def well_formed(given: str) -> str | None:
    """The traceparent in a header, without what a later version may have added to it; None where it is none."""
    match = _match(given)
    return match[0] if match else None


def trace_id(traceparent: str) -> str:
    """The trace of a well-formed traceparent: 32 hex digits."""
    return traceparent[3:35]
