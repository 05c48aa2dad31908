"""A payload's bytes -> their canonical form. Pure.

Canonical: keys sorted, the last of a repeated key, no white space, UTF-8, numbers in one spelling. Two payloads
that say the same have the same canonical bytes, and so the same digest.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from events import wellformed
from events.exceptions import EnvelopeError
from events.wellformed import DEPTH_LIMIT

PAYLOAD_LIMIT = 65_536  # bytes, as sent
PAYLOAD_ALLOWED = f"a JSON object of at most {PAYLOAD_LIMIT:,} bytes"
EXACT_INTEGER = 2**53  # below it a double holds every whole number


class Payload(NamedTuple):
    """A payload as the log stores it."""

    text: bytes  # canonical; as it was sent where Python can't decode it
    content: dict[str, Any] | None  # None where Python can't decode it


def _number(token: str) -> int | float:
    """A number written with a fraction or exponent: 1.0, 1e0 and 1 are one number and must have one digest."""
    number = float(token)
    if number.is_integer() and abs(number) < EXACT_INTEGER:
        return int(number)
    if abs(number) == float("inf"):
        raise ValueError("beyond a double")
    return number


_string = re.compile(rb'"(?:[^"\\]|\\.)*+"').sub
_bracket = re.compile(rb"[][{}]").findall
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=_number).decode
encode = msgspec.json.Encoder(order="sorted").encode


def canonical(raw: bytes) -> Payload:
    """The payload that `raw` spells. Raises EnvelopeError if it is not a JSON object, or too large.

    Whatever is JSON is a payload: NUL characters, lone surrogates, numbers beyond a double, deep nesting. What the
    compiled decoder can't read, and what is nested deeper than DEPTH_LIMIT, is stored as it was sent; its processor
    decides.
    """
    if raw[:1] != b"{":
        raise EnvelopeError("payload", "not an object", PAYLOAD_ALLOWED)
    if len(raw) > PAYLOAD_LIMIT:
        raise EnvelopeError("payload", f"{len(raw):,} bytes", PAYLOAD_ALLOWED, status=413)
    try:
        content = _decode(raw)
        # How deep the decoder goes depends on the stack that it is called on: without a fixed limit the same payload
        # could have two digests.
        if raw.count(b"{") + raw.count(b"[") <= DEPTH_LIMIT or _depth(raw) <= DEPTH_LIMIT:
            return Payload(encode(content), content)
    except (msgspec.DecodeError, ValueError, RecursionError):
        _check_json(raw)
    return Payload(raw, None)


def _depth(raw: bytes) -> int:
    """How many containers of a JSON text are within each other at the most."""
    depth = deepest = 0
    for bracket in _bracket(_string(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _check_json(raw: bytes) -> None:
    try:
        wellformed.flaw_of(raw.decode())
    except UnicodeDecodeError as error:
        raise EnvelopeError("payload", f"not UTF-8 at byte {error.start}", PAYLOAD_ALLOWED) from None
    except wellformed.NotJsonError as error:
        raise EnvelopeError("payload", f"not JSON: {error}", PAYLOAD_ALLOWED) from None
