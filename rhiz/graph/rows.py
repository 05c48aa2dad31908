"""Rows as a batch writes them: one field a column, named like it.

A model instance costs ten times as much to make, and these go to the database as JSON, all of a batch at once.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the rows of all kinds of record have in common; alone with `deleted` it is a tombstone.

    `version` and `event` order the rows of one key: whichever is larger in both, compared in this order, stands.
    """

    key: str  # 32 hexadecimal digits
    uri: str
    did: str
    version: int  # microseconds since 1970
    event: int
    cid: str = ""
    created_at: datetime | None = None  # aware, UTC
    deleted: bool = False


class RelationshipRow(Row, frozen=True, kw_only=True, gc=False):
    participant_a: str = ""
    participant_b: str = ""
    kind: str = ""
    strength: int = 0
    context: str = ""


class AttestationRow(Row, frozen=True, kw_only=True, gc=False):
    target_uri: str = ""
    target_key: str | None = None
    attestation_type: str = ""
    confidence: int = 0
    evidence: str = ""
    suggested_strength: int | None = None


class ProfileRow(Row, frozen=True, kw_only=True, gc=False):
    display_name: str = ""
    entity_type: str = ""
    bio: str = ""
    avatar_url: str = ""
    verified: bool = False
