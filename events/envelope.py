"""Bytes or a mapping -> a validated NewEvent. Pure: no settings, no database.

The envelope (event_type, did, priority, ids and times) is its sender's work: what is wrong with it raises
EnvelopeError. The payload comes from a stranger's repository: whatever is a JSON object is accepted, and judged by
its processor, so that it never blocks its sender.

Compiled decoders do the work; `events.wellformed` takes the second look at what they refuse.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec

from events import fields, syntax, wellformed
from events.exceptions import EnvelopeError
from events.fields import ALLOWED, Fields, refused
from events.payload import PAYLOAD_LIMIT, canonical, encode

EVENTS_LIMIT = 5_000  # in one body
# Commas in a body. Millions of tiny elements would keep the compiled decoder, which lets no other thread run meanwhile,
# busy for 120 ms; the slow look stops at the first element too many.
DENSE = 300_000
PIECE = 65_536  # bytes of lines that are taken apart in one go
SLOW_LIMIT = 2 * PAYLOAD_LIMIT  # bytes of one event that get a second look, which takes 0.4 s a megabyte

# The namespace of derived event ids. Senders may know ids that were derived with it: it must never change.
_DERIVED = UUID("6b3f8f0c-5b0e-5d0a-9c55-2f4f0c7d1e11")

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_match_event_type = re.compile(r"[a-z0-9_.-]{1,100}").fullmatch


class NewEvent(msgspec.Struct, frozen=True):
    """An event that may be appended to the log."""

    event_id: UUID
    event_type: str
    did: str
    priority: int  # 0 (low) to 3 (critical)
    payload: bytes  # canonical JSON of an object: see events.payload
    digest: str  # of the content: see content_digest
    version: int | None  # microseconds since 1970 of rev, else of occurred_at; None: the log takes received_at
    rev: str | None = None
    occurred_at: datetime | None = None  # in UTC
    derived: bool = False  # the server derived event_id of the content: never a conflict
    request_id: str | None = None  # of the HTTP request that brought it, up to 64 characters
    traceparent: str | None = None  # of the same request, well-formed: 55 characters


def parse(body: bytes) -> NewEvent:
    """The event in one JSON object. Raises EnvelopeError."""
    try:
        envelope = fields.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if len(body) > SLOW_LIMIT:
            raise EnvelopeError("body", str(error), ALLOWED["body"]) from None
        return _parse_slowly(body)
    return _event(envelope, bytes(envelope.payload))


def parse_array(body: bytes) -> list[NewEvent | EnvelopeError]:
    """The events in a JSON array; an EnvelopeError stands where an element is none.

    Raises EnvelopeError when the whole is no array or has too many elements.
    """
    if body.count(b",") > DENSE:
        return _parse_each(_split_slowly(body))
    try:
        raws = _decode_array(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_each(_split_slowly(body))
    return _parse_each(raws)


def parse_lines(body: bytes) -> list[NewEvent | EnvelopeError]:
    """The events in newline-delimited JSON; an EnvelopeError stands where a line is none. Blank lines don't count.

    Raises EnvelopeError when there are too many lines.
    """
    return _parse_each(list(islice(_lines(body), EVENTS_LIMIT + 1)))


def from_mapping(event: Mapping[str, Any]) -> NewEvent:
    """The event in a mapping of what `parse` takes; UUIDs and aware datetimes need not be text.

    The same rules as for bytes. Raises EnvelopeError, also for what JSON can't express (NaN, a set, bytes).
    """
    try:
        body = json.dumps(dict(event), default=_plain, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise EnvelopeError("event", f"not JSON: {error}", "a mapping of JSON values, UUIDs, datetimes") from None
    return parse(body.encode())


def content_digest(
    event_type: str, did: str, payload: Mapping[str, Any] | bytes, rev: str | None, occurred_at: datetime | None
) -> str:
    """BLAKE2b-128, in hex, of what makes two events the same: everything but event_id and priority.

    `payload` is a mapping or its canonical bytes.
    """
    head = encode((event_type, did, rev, occurred_at and occurred_at.astimezone(UTC)))
    body = payload if isinstance(payload, bytes) else canonical(encode(payload)).text
    return hashlib.blake2b(head + body, digest_size=16).hexdigest()


def _event(envelope: Fields, raw: bytes) -> NewEvent:
    event_type, did, priority, rev = envelope.event_type, envelope.did, envelope.priority, envelope.rev
    if _match_event_type(event_type) is None:
        raise refused("event_type", event_type)
    if not syntax.is_did(did):
        raise refused("did", did)
    if not 0 <= priority <= 3:
        raise refused("priority", priority)
    version = occurred_at = None
    if envelope.occurred_at is not None:
        try:
            occurred_at = syntax.parse_datetime(envelope.occurred_at)
        except ValueError:
            raise refused("occurred_at", envelope.occurred_at) from None
        version = syntax.microseconds(occurred_at)
    if rev is not None:
        try:
            version = syntax.tid_microseconds(rev)
        except ValueError:
            raise refused("rev", rev) from None

    payload, content = canonical(raw)
    event_id = envelope.event_id
    derived = event_id is None and (event_id := _derived_id(envelope, content or {}, occurred_at)) is not None
    digest = content_digest(event_type, did, payload, rev, occurred_at)
    return NewEvent(
        event_id or uuid4(),
        event_type,
        did,
        priority,
        payload,
        digest,
        version,
        rev,
        occurred_at,
        derived,
    )


def _derived_id(envelope: Fields, content: dict[str, Any], occurred_at: datetime | None) -> UUID | None:
    """The id that follows from the record's coordinates, so that a repeated POST makes no second event.

    None without a `uri` in the payload, or without both rev and occurred_at: a record that was deleted and
    published again can have the same uri and cid, and would be lost.
    """
    uri = content.get("uri")
    moment = envelope.rev or occurred_at
    if not uri or not moment or not isinstance(uri, str):
        return None
    return uuid5(_DERIVED, encode((envelope.event_type, envelope.did, uri, content.get("cid"), moment)).decode())


def _lines(body: bytes) -> Iterator[bytes]:
    """Lines that are not blank, found piece by piece: millions of empty ones must not hold the interpreter for long."""
    start = 0
    while start < len(body):
        end = body.find(b"\n", start + PIECE)
        end = len(body) if end < 0 else end
        yield from (line for line in body[start:end].split(b"\n") if line and not line.isspace())
        start = end + 1


def _parse_each(parts: Sequence[bytes] | Sequence[msgspec.Raw]) -> list[NewEvent | EnvelopeError]:
    if len(parts) > EVENTS_LIMIT:
        raise EnvelopeError(
            "body", f"more than {EVENTS_LIMIT:,} events", f"at most {EVENTS_LIMIT:,} events", status=413
        )
    return [_event_or_error(bytes(part)) for part in parts]


def _event_or_error(part: bytes) -> NewEvent | EnvelopeError:
    try:
        return parse(part)
    except EnvelopeError as error:
        # Its frames, those of thousands in one body, would be walked by a garbage collection of 100 ms.
        error.__context__ = None
        return error.with_traceback(None)


def _parse_slowly(body: bytes) -> NewEvent:
    """What the compiled decoder gave up on: not JSON, or JSON with a payload that it can't read."""
    text = _text(body)
    try:
        members = wellformed.members(text)
    except wellformed.NotJsonError as error:
        raise EnvelopeError("body", f"not JSON: {error}", ALLOWED["body"]) from None
    if members is None:
        raise EnvelopeError("body", "not an object", ALLOWED["body"])
    sent = {name: text[members[name].start : members[name].end] for name in Fields.__struct_fields__ if name in members}
    payload = sent.pop("payload", "")
    for name in sent:
        if members[name].flaw:
            raise EnvelopeError(name, members[name].flaw, ALLOWED[name])
    if payload:
        sent["payload"] = "{}"
    envelope = fields.decode("{" + ",".join(f'"{name}":{value}' for name, value in sent.items()) + "}")
    return _event(envelope, payload.encode())


def _split_slowly(body: bytes) -> list[bytes]:
    """The elements of an array that the compiled decoder gave up on."""
    allowed = "a JSON array of events in UTF-8"
    text = _text(body)
    try:
        elements = wellformed.elements(text, EVENTS_LIMIT + 1)
    except wellformed.NotJsonError as error:
        raise EnvelopeError("body", f"not JSON: {error}", allowed) from None
    if elements is None:
        raise EnvelopeError("body", "not an array", allowed)
    return [text[element.start : element.end].encode() for element in elements]


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise EnvelopeError("body", f"not UTF-8 at byte {error.start}", ALLOWED["body"]) from None


def _plain(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} {value!r:.100}")
