"""What strangers wrote, as an operator should see it: nothing hidden, nothing that turns or fills the page. Pure."""

from __future__ import annotations

import json
from typing import Any

BROADEST = 4  # times as long as in one line: deep nesting makes megabytes of indentation from 64 KB
SHOWN = 200  # characters of an error's last line
_KEPT = " \n\t"


def visible(text: str) -> str:
    """The text with what has no shape of its own, or turns the direction of what follows, as \\uXXXX."""
    if text.isprintable():
        return text
    return "".join(char if char in _KEPT or char.isprintable() else json.dumps(char)[1:-1] for char in text)


def pretty(value: Any) -> str:
    """A value as JSON for people: still the same value when it is read again, and at most BROADEST times as long."""
    line = visible(json.dumps(value, ensure_ascii=False))
    indented = visible(json.dumps(value, indent=2, ensure_ascii=False))
    return indented if len(indented) <= max(1_000, BROADEST * len(line)) else line


def payload_text(payload: Any) -> str:
    """A payload for people: `pretty`, or its JSON text where Python can't decode it and it is a `str`."""
    if not isinstance(payload, str):
        return pretty(payload)
    return visible(payload.replace("\r", " "))  # JSON has a bare CR as white space only


def last_line(error: str) -> str:
    """The last line of an error: of a traceback, the one that names it."""
    return visible(error.strip().rpartition("\n")[2][:SHOWN])
