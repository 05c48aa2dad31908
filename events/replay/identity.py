"""Events that can be sent twice: one without an event_id gets one before it is sent."""

from __future__ import annotations

import msgspec

from events.envelope import parse
from events.exceptions import EnvelopeError


class _Identified(msgspec.Struct):
    event_id: str | None = None


_decode = msgspec.json.Decoder(_Identified).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def identified(body: bytes) -> bytes:
    """The event in `body`, with the event_id that it would get here if it has none.

    A server derives an id where it can, and makes a random one where it can't: then an event whose answer is lost
    would become two. What is no event is returned as it is; the server says what is wrong with it.
    """
    try:
        if _decode(body).event_id is not None:
            return body
        event = parse(body)
        if event.derived:
            return body
        members = _members(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, EnvelopeError):
        return body
    members["event_id"] = msgspec.Raw(msgspec.json.encode(event.event_id))
    return msgspec.json.encode(members)
