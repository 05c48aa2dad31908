"""trust.invalidated: the event's DID, whose trust scores must be computed anew."""

from __future__ import annotations

from msgspec import Struct

from events import Entry, syntax
from rhiz.graph.payloads import identity
from rhiz.graph.payloads.shape import Shape


class TrustPayload(Struct, frozen=True, gc=False):
    did: str | None = None


SHAPE = Shape(TrustPayload, {"did": syntax.DID_ALLOWED})


def decode(entry: Entry) -> str:
    """The DID that the event is about: the payload's, else the event's own. Raises PermanentError."""
    did = SHAPE.decode(entry.payload_text).did
    return entry.did if did is None else identity.did("did", did)
