"""entity.profile.updated.

What is there must fit, but nothing is required: a profile without a name is still its owner's newest word. The
record key is always `self`, so a payload may leave its URI out.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from events import Entry, syntax
from rhiz.graph.payloads import identity
from rhiz.graph.payloads.shape import Shape
from rhiz.graph.record_key import key_hex
from rhiz.graph.rows import ProfileRow

COLLECTION = "net.rhiz.entity.profile"
NAME_LIMIT = 200  # characters
TYPE_LIMIT = 100  # characters; the protocol knows three types and lets others through
BIO_LIMIT = 1000  # characters
AVATAR_LIMIT = 8192  # characters

Name = Annotated[str, Meta(max_length=NAME_LIMIT)]
Kind = Annotated[str, Meta(max_length=TYPE_LIMIT)]
Avatar = Annotated[str, Meta(max_length=AVATAR_LIMIT)]


class ProfilePayload(Struct, frozen=True, gc=False):
    uri: str | None = None
    cid: str | None = None
    display_name: Name | None = None
    display_name_camel: Name | None = field(default=None, name="displayName")
    entity_type: Kind | None = None
    entity_type_camel: Kind | None = field(default=None, name="entityType")
    bio: Annotated[str, Meta(max_length=BIO_LIMIT)] | None = None
    avatar_url: Avatar | None = None
    avatar_url_camel: Avatar | None = field(default=None, name="avatarUrl")
    verified: bool | None = None
    created_at: str | None = None
    created_at_camel: str | None = field(default=None, name="createdAt")


_NAME, _TYPE, _AVATAR = (f"at most {limit} characters" for limit in (NAME_LIMIT, TYPE_LIMIT, AVATAR_LIMIT))
ALLOWED = {
    "uri": syntax.URI_ALLOWED,
    "cid": syntax.CID_ALLOWED,
    "display_name": _NAME,
    "displayName": _NAME,
    "entity_type": _TYPE,
    "entityType": _TYPE,
    "bio": f"at most {BIO_LIMIT} characters",
    "avatar_url": _AVATAR,
    "avatarUrl": _AVATAR,
    "verified": "true or false",
    "created_at": syntax.DATETIME_ALLOWED,
    "createdAt": syntax.DATETIME_ALLOWED,
}
SHAPE = Shape(ProfilePayload, ALLOWED)


def decode(entry: Entry) -> ProfileRow:
    """The row that a profile's event leaves. Raises PermanentError."""
    payload = SHAPE.decode(entry.payload_text)
    display_name = payload.display_name or payload.display_name_camel or ""
    entity_type = payload.entity_type or payload.entity_type_camel or ""
    bio = payload.bio or ""
    avatar_url = payload.avatar_url or payload.avatar_url_camel or ""
    identity.storable(display_name=display_name, entity_type=entity_type, bio=bio, avatar_url=avatar_url)
    created_at = payload.created_at or payload.created_at_camel
    return ProfileRow(
        key=key_hex(entry.did),
        uri=f"at://{entry.did}/{COLLECTION}/self" if payload.uri is None else identity.own_uri(entry, payload.uri),
        did=entry.did,
        version=entry.version,
        event=entry.id,
        cid="" if payload.cid is None else identity.cid(payload.cid),
        created_at=None if created_at is None else identity.moment("created_at", created_at),
        display_name=display_name,
        entity_type=entity_type,
        bio=bio,
        avatar_url=avatar_url,
        verified=bool(payload.verified),
    )
