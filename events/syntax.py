"""Identifiers of the AT Protocol: DID, AT-URI, CID, datetime, TID.

Pure and compiled: every accepted event passes through here. Checks return a bool; parsers return a value or
raise ValueError with a sentence that says what is allowed. `fullmatch` throughout: `$` would let a trailing
newline through.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

DID_LIMIT = 2048  # characters
URI_LIMIT = 8192  # characters
HANDLE_LIMIT = 253  # characters
NSID_LIMIT = 317  # characters
DATETIME_LIMIT = 64  # characters
KNOWN_DIDS = 10_000  # whose syntax was checked lately

DID_ALLOWED = f"a DID such as did:plc:2rzv4orglylo5yb7lfyyxg25, at most {DID_LIMIT} characters"
URI_ALLOWED = f"at://<did>/<collection>/<record key>, at most {URI_LIMIT} characters"
CID_ALLOWED = "a CIDv1: 8-256 characters of a-z A-Z 0-9 + ="
DATETIME_ALLOWED = "an RFC 3339 datetime with a zone, such as 2026-11-01T12:00:00Z, in the years 0001-9999"
TID_ALLOWED = "a TID: 13 characters of 2-7 a-z, the first of them 2-7 a-j"

# Possessive quantifiers: a hostile identifier is read once, never tried again from the middle.
_DID = r"did:[a-z]+:[a-zA-Z0-9._:%-]*+(?<=[a-zA-Z0-9._-])"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62}+(?<!-))?"
_HANDLE = rf"(?:{_LABEL}\.)++[a-zA-Z](?:[a-zA-Z0-9-]{{0,62}}+(?<!-))?"
_NSID = rf"(?=[a-zA-Z])(?:{_LABEL}\.){{2,}}+[a-zA-Z][a-zA-Z0-9]{{0,62}}"
_RKEY = r"[a-zA-Z0-9._:~-]{1,512}+(?<!/\.)(?<!/\.\.)"

_match_did = re.compile(_DID).fullmatch
_match_uri = re.compile(rf"at://(?:({_DID})|({_HANDLE}))(?:/({_NSID})(?:/({_RKEY}))?)?").fullmatch
_match_record = re.compile(rf"(?=[^/]{{1,{NSID_LIMIT}}}/){_NSID}/{_RKEY}").fullmatch
_match_cid = re.compile(r"(?!Qmb)[a-zA-Z0-9+=]{8,256}").fullmatch
_match_datetime = re.compile(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]T(?:[01][0-9]|2[0-3]):[0-5][0-9]:([0-6][0-9])(?:\.[0-9]+)?"
    r"(?:Z|(?!-00:00)[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch
_match_tid = re.compile(r"[2-7a-j][2-7a-z]{12}").fullmatch

_TID_TO_BASE32 = str.maketrans("234567abcdefghijklmnopqrstuvwxyz", "0123456789abcdefghijklmnopqrstuv")
_TID_CLOCK_BITS = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


class AtUri(NamedTuple):
    """The parts of an AT-URI; `collection` and `rkey` are empty where the URI names no record."""

    authority: str
    collection: str
    rkey: str


@lru_cache(KNOWN_DIDS)  # a batch names the same ones again and again
def is_did(value: str) -> bool:
    """Whether `value` is a DID of at most 2,048 characters."""
    return len(value) <= DID_LIMIT and _match_did(value) is not None


def is_cid(value: str) -> bool:
    """Whether `value` is written like a CID. Version 0 (`Qmb...`) is not one here, as in the protocol's vectors."""
    return _match_cid(value) is not None


def parse_uri(value: str) -> AtUri:
    """The parts of any AT-URI, a handle's or a bare repository's too. Raises ValueError."""
    match = _match_uri(value) if len(value) <= URI_LIMIT else None
    if match is None:
        raise ValueError("at://<did or handle>, with /<collection> and /<record key> or without")
    did, handle, collection, rkey = match.groups(default="")
    if len(did) > DID_LIMIT or len(handle) > HANDLE_LIMIT or len(collection) > NSID_LIMIT:
        raise ValueError(f"at most {DID_LIMIT} characters of DID, {HANDLE_LIMIT} of handle, {NSID_LIMIT} of collection")
    return AtUri(did or handle, collection, rkey)


def is_record_of(did: str, value: str) -> bool:
    """Whether `value` is the AT-URI of a record in the repository of `did`, which is a DID."""
    start = f"at://{did}/"
    return len(value) <= URI_LIMIT and value.startswith(start) and _match_record(value, len(start)) is not None


def parse_record_uri(value: str) -> AtUri:
    """The parts of a record's AT-URI: a DID, a collection and a record key. Raises ValueError.

    A handle is refused as authority: it can change hands, so it can't own a record.
    """
    try:
        uri = parse_uri(value)
    except ValueError:
        raise ValueError(URI_ALLOWED) from None
    if not uri.rkey or not uri.authority.startswith("did:"):
        raise ValueError(URI_ALLOWED)
    return uri


def parse_datetime(value: str) -> datetime:
    """An aware datetime in UTC; digits beyond the microsecond are cut off. Raises ValueError.

    A zone is required, and -00:00 (RFC 3339's "zone unknown") is refused, as the protocol does. A leap second
    (23:59:60 UTC) is the first moment of the next day.
    """
    match = _match_datetime(value) if len(value) <= DATETIME_LIMIT else None
    if match is None:
        raise ValueError(DATETIME_ALLOWED)
    try:
        if match[1] == "60":
            return _leap_second(value)
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(DATETIME_ALLOWED) from None


def _leap_second(value: str) -> datetime:
    eve = datetime.fromisoformat(f"{value[:17]}59{value[19:]}").astimezone(UTC)
    if (eve.hour, eve.minute) != (23, 59):
        raise ValueError
    return eve.replace(microsecond=0) + _SECOND


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; negative before it."""
    return (moment - EPOCH) // _MICROSECOND


def tid_microseconds(value: str) -> int:
    """The microseconds since 1970 that a TID holds (its clock id is left out). Raises ValueError."""
    if _match_tid(value) is None:
        raise ValueError(TID_ALLOWED)
    return int(value.translate(_TID_TO_BASE32), 32) >> _TID_CLOCK_BITS
