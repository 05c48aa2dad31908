"""Checks of what all records have: a URI of their owner, a CID, DIDs and datetimes, text that can be stored."""

from __future__ import annotations

from datetime import datetime

from events import Entry, syntax
from rhiz.graph.payloads.shape import refusal

STORABLE = "text without NUL characters"


def own_uri(entry: Entry, uri: str | None) -> str:
    """`uri`, which must name a record in the repository of the event's DID."""
    if uri is not None and syntax.is_record_of(entry.did, uri):
        return uri
    try:
        authority = syntax.parse_record_uri(uri or "").authority
    except ValueError as error:
        raise refusal("uri", uri, str(error)) from None
    if authority != entry.did:
        raise refusal("uri", uri, "a record of the event's own did")
    return uri or ""


def did(field: str, value: str | None) -> str:
    """`value`, which must be a DID."""
    if value is None or not syntax.is_did(value):
        raise refusal(field, value, syntax.DID_ALLOWED)
    return value


def cid(value: str | None) -> str:
    """`value`, which must be a CID."""
    if value is None or not syntax.is_cid(value):
        raise refusal("cid", value, syntax.CID_ALLOWED)
    return value


def moment(field: str, value: str | None) -> datetime:
    """The datetime that `value` names, aware and in UTC."""
    try:
        return syntax.parse_datetime(value or "")
    except ValueError as error:
        raise refusal(field, value, str(error)) from None


def storable(**texts: str) -> None:
    """Refuse NUL, which PostgreSQL can't hold in a text."""
    for field, text in texts.items():
        if "\0" in text:
            raise refusal(field, text, STORABLE)
