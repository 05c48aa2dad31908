"""A payload's bytes -> their canonical form, or why the log can't hold them. Pure.

Canonical: keys sorted, the last of a repeated key, no white space, UTF-8, numbers in one spelling. Two payloads
that say the same have the same canonical bytes, and so the same digest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from events import wellformed
from events.exceptions import EnvelopeError

PAYLOAD_LIMIT = 65_536  # bytes, as sent
PAYLOAD_ALLOWED = f"a JSON object of at most {PAYLOAD_LIMIT:,} bytes"
EXACT_INTEGER = 2**53  # below it a double holds every whole number


class Payload(NamedTuple):
    """A payload as the log stores it; `{}` where it has a `refusal`."""

    canonical: bytes
    content: dict[str, Any]
    refusal: str = ""  # why the log can't hold it


def _number(token: str) -> int | float:
    """A number written with a fraction or exponent: 1.0, 1e0 and 1 are one number and must have one digest."""
    number = float(token)
    if number.is_integer() and abs(number) < EXACT_INTEGER:
        return int(number)
    if abs(number) == float("inf"):
        raise ValueError("beyond a double")
    return number


_decode = msgspec.json.Decoder(dict[str, Any], float_hook=_number).decode
encode = msgspec.json.Encoder(order="sorted").encode


def canonical(raw: bytes) -> Payload:
    """The payload that `raw` spells. Raises EnvelopeError if it is not a JSON object, or too large."""
    if raw[:1] != b"{":
        raise EnvelopeError("payload", "not an object", PAYLOAD_ALLOWED)
    if len(raw) > PAYLOAD_LIMIT:
        raise EnvelopeError("payload", f"{len(raw):,} bytes", PAYLOAD_ALLOWED, status=413)
    try:
        content = _decode(raw)
        compact = encode(content)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Payload(b"{}", {}, _flaw(raw) or "payload: it can't be decoded")
    # Cheap signs of what the decoder lets through; each can be innocent (text, many containers side by side).
    suspicious = b"\\u0000" in compact or compact.count(b"{") + compact.count(b"[") > wellformed.DEPTH_LIMIT
    if suspicious and (flaw := _flaw(raw)):
        return Payload(b"{}", {}, flaw)
    return Payload(compact, content)


def _flaw(raw: bytes) -> str:
    try:
        flaw = wellformed.flaw_of(raw.decode())
    except UnicodeDecodeError as error:
        raise EnvelopeError("payload", f"not UTF-8 at byte {error.start}", PAYLOAD_ALLOWED) from None
    except wellformed.NotJsonError as error:
        raise EnvelopeError("payload", f"not JSON: {error}", PAYLOAD_ALLOWED) from None
    return flaw and f"payload: {flaw}"
