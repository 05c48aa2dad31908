"""The reason of a failure: its error without what differs from event to event, so that equal troubles are one. Pure."""

from __future__ import annotations

import re

REASON_LENGTH = 200  # characters
LOOKED_AT = 2_000  # characters of a message: a reason is at its beginning

# `field: value; allowed: what`, as EnvelopeError and the processors of payloads say it. The value is the stranger's,
# and may spell "; allowed: " itself: what we allow comes last.
_refusal = re.compile(r"([\w.$\[\]-]{1,60}): (.*); allowed: (.*)", re.DOTALL).fullmatch

# In this order: what is quoted may hold anything, an AT-URI holds a DID, and each of them may hold numbers.
_VARYING = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`", "'…'"),
        (r"at://\S+", "<at-uri>"),
        (r"did:[a-z]+:[A-Za-z0-9._:%-]+", "<did>"),
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<uuid>"),
        (r"[-+]?\b(?:baf[a-z0-9]{20,}|0x[0-9a-fA-F]+|[0-9a-fA-F]{16,})\b", "#"),
        (r"[-+]?\d[\d.,:_TZ+-]*", "#"),
        (r"\s+", " "),
    )
)


def reason_of(kind: str, message: str) -> str:
    """The reason of an error of the type named `kind` ('' where there is none) that says `message`.

    Two errors have one reason if they differ in numbers, ids and quoted values only; at most REASON_LENGTH characters.
    It comes back from a form as it was: one line, printable, no space at either end.
    """
    message = message.strip()[:LOOKED_AT]
    refused = refusal_in(message)
    if refused:
        field, value, allowed = refused
        text = f"{field}: {'missing' if value == 'missing' else '…'}; allowed: {allowed}"
    else:
        text = message.partition("\n")[0]
        for pattern, name in _VARYING:
            text = pattern.sub(name, text)
    whole = f"{kind}: {text}" if kind and text else kind or text
    return _printable(whole).strip()[:REASON_LENGTH].rstrip()


def _printable(text: str) -> str:
    """The text on one line; what has no shape of its own, or turns the direction of what follows, as a full stop."""
    return "".join(char if char.isprintable() else "." for char in " ".join(text.split()))


def refusal_in(message: str) -> tuple[str, str, str] | None:
    """Of `field: value; allowed: what` the three; None for any other message."""
    found = _refusal(message)
    return (found[1], found[2], found[3]) if found else None
