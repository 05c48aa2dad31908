"""relationship.created, relationship.updated and relationship.deleted."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from events import Entry, syntax
from rhiz.graph.payloads import identity
from rhiz.graph.payloads.deletion import tombstone
from rhiz.graph.payloads.shape import Shape, refusal
from rhiz.graph.record_key import key_hex
from rhiz.graph.rows import RelationshipRow

KIND_LIMIT = 100  # characters; the protocol knows six kinds and lets others through
CONTEXT_LIMIT = 500  # characters


class RelationshipPayload(Struct, frozen=True, gc=False):
    uri: str | None = None
    cid: str | None = None
    participants: tuple[str, str] | None = None
    type: Annotated[str, Meta(min_length=1, max_length=KIND_LIMIT)] | None = None
    strength: Annotated[int, Meta(ge=0, le=100)] | None = None
    context: Annotated[str, Meta(max_length=CONTEXT_LIMIT)] | None = None
    created_at: str | None = None
    created_at_camel: str | None = field(default=None, name="createdAt")


ALLOWED = {
    "uri": syntax.URI_ALLOWED,
    "cid": syntax.CID_ALLOWED,
    "participants": "exactly two different DIDs",
    "type": f"1-{KIND_LIMIT} characters",
    "strength": "an integer from 0 to 100",
    "context": f"at most {CONTEXT_LIMIT} characters",
    "created_at": syntax.DATETIME_ALLOWED,
    "createdAt": syntax.DATETIME_ALLOWED,
}
SHAPE = Shape(RelationshipPayload, ALLOWED)


def decode(entry: Entry) -> RelationshipRow:
    """The row that a relationship's event leaves. Raises PermanentError."""
    if entry.event_type.endswith(".deleted"):
        return tombstone(entry, RelationshipRow)
    payload = SHAPE.decode(entry.payload_text)
    uri = identity.own_uri(entry, payload.uri)
    if payload.participants is None or payload.participants[0] == payload.participants[1]:
        raise refusal("participants", payload.participants, ALLOWED["participants"])
    if payload.type is None:
        raise refusal("type", None, ALLOWED["type"])
    if payload.strength is None:
        raise refusal("strength", None, ALLOWED["strength"])
    context = payload.context or ""
    identity.storable(type=payload.type, context=context)
    return RelationshipRow(
        key=key_hex(uri),
        uri=uri,
        did=entry.did,
        version=entry.version,
        event=entry.id,
        cid=identity.cid(payload.cid),
        created_at=identity.moment("created_at", payload.created_at or payload.created_at_camel),
        participant_a=identity.did("participants", payload.participants[0]),
        participant_b=identity.did("participants", payload.participants[1]),
        kind=payload.type,
        strength=payload.strength,
        context=context,
    )
