"""Every key, tag and time to live of what is cached of the graph. Readers and invalidators both ask here.

A tag names something that events change: the tag of a person is the DID, the tag of a record its AT-URI.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from rhiz.graph.record_key import key_hex
from rhiz.graph.rows import AttestationRow, ProfileRow, RelationshipRow

TRUST_TTL = 24 * 3_600  # seconds: conviction and other trust metrics
PATH_TTL = 3_600  # seconds: who is connected to whom


class Cached(NamedTuple):
    """Where a value is kept, what makes it wrong, and for how many seconds it is worth keeping."""

    key: str
    tags: tuple[str, ...]
    ttl: int


def neighbours(did: str, after: str, limit: int) -> Cached:
    """A page of the relationships that `did` takes part in. Identifiers are hashed: they may be 8,192 long."""
    return Cached(f"neighbours:{key_hex(did)}:{limit}:{after}", (did,), PATH_TTL)


def conviction(uri: str, as_of: datetime | None) -> Cached:
    """The conviction of the relationship `uri`, for a point in time or for when it is computed."""
    moment = "" if as_of is None else f":{as_of.isoformat()}"
    return Cached(f"conviction:{key_hex(uri)}{moment}", (uri,), TRUST_TTL)


def touched_by_relationships(rows: Iterable[RelationshipRow], before: Iterable[Sequence[str]]) -> set[str]:
    """The tags of relationships and their participants: those of now and, of changed ones, those `before`."""
    tags = {each for row in rows for each in (row.uri, row.participant_a, row.participant_b)}
    return (tags | {did for participants in before for did in participants}) - {""}


def touched_by_attestations(rows: Iterable[AttestationRow], before: Iterable[Sequence[str]]) -> set[str]:
    """The tags of the relationships that are attested now, and of those that changed attestations were about."""
    return ({row.target_uri for row in rows} | {target for (target,) in before}) - {""}


def touched_by_profiles(rows: Iterable[ProfileRow]) -> set[str]:
    """The tags of those whose profiles these are."""
    return {row.did for row in rows}


def touched_by_trust(dids: Iterable[str]) -> set[str]:
    """The tags of those whose trust must be computed anew."""
    return set(dids)
