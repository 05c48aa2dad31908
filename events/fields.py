"""The envelope's fields as they are sent, and what is allowed in each. Pure."""

from __future__ import annotations

import re
from uuid import UUID

import msgspec

from events import syntax
from events.exceptions import EnvelopeError
from events.payload import PAYLOAD_ALLOWED

ALLOWED = {
    "body": "one JSON object in UTF-8 without a byte order mark",
    "event_type": "1-100 characters of a-z 0-9 _ . -",
    "did": syntax.DID_ALLOWED,
    "priority": "an integer: 0 (low), 1 (normal), 2 (high), 3 (critical)",
    "payload": PAYLOAD_ALLOWED,
    "event_id": "a UUID, or nothing",
    "rev": f"{syntax.TID_ALLOWED}; or nothing",
    "occurred_at": f"{syntax.DATETIME_ALLOWED}; or nothing",
}


class Fields(msgspec.Struct):
    """An envelope whose fields have the right JSON types, and nothing more. Other fields are ignored."""

    event_type: str
    did: str
    payload: msgspec.Raw
    priority: int = 1
    event_id: UUID | None = None
    rev: str | None = None
    occurred_at: str | None = None


_decode = msgspec.json.Decoder(Fields).decode
_message = re.compile(r"(.*?)(?: - at `\$\.(\w+).*`)?", re.DOTALL).fullmatch
_missing = re.compile(r"Object missing required field `(\w+)`").fullmatch


def decode(body: bytes | str) -> Fields:
    """The fields in a JSON object.

    Raises EnvelopeError for a field that is missing or of another type, and what msgspec raises (DecodeError,
    UnicodeDecodeError, RecursionError) for what it can't read.
    """
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise _mistake(str(error)) from None


def refused(field: str, value: object) -> EnvelopeError:
    """The error for a value that `field` does not allow."""
    return EnvelopeError(field, f"{value!r:.200}", ALLOWED[field])


def _mistake(message: str) -> EnvelopeError:
    """msgspec's message, taken apart: "Expected `str`, got `int` - at `$.did`"."""
    if missing := _missing(message):
        return EnvelopeError(missing[1], "missing", ALLOWED[missing[1]])
    match = _message(message)
    problem, field = match.groups(default="body") if match else (message, "body")
    return EnvelopeError(field, problem.replace("`", ""), ALLOWED.get(field, ALLOWED["body"]))
