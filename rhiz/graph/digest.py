"""One hash of all that the graph says: two databases that agree on it hold the same graph.

It covers every record with its content, every relationship's conviction and the URIs of what was deleted; not our
keys, versions and times of processing, which may differ between two ways to the same graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db.models import Max

from rhiz.graph.conviction import WEIGHTS, Opinion, score
from rhiz.graph.models import Attestation, Profile, Record, Relationship
from rhiz.graph.snapshot import by_bytes, rows, snapshot

KINDS: dict[str, type[Record]] = {"relationship": Relationship, "attestation": Attestation, "profile": Profile}
NOT_CONTENT = frozenset({"key", "target_key", "version", "event", "deleted"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Digest(NamedTuple):
    """What `digest` found: the time of its convictions, how many records there are, and the hash."""

    as_of: datetime
    relationships: int
    attestations: int
    profiles: int
    tombstones: int
    sha256: str  # 64 hexadecimal digits


def digest(as_of: datetime | None = None) -> Digest:
    """The hash of the graph, its convictions computed for `as_of` (default: the newest record's created_at).

    Reads every row once, attestations twice, in memory that does not grow with the tables.
    """
    with snapshot():
        as_of = as_of or _newest()
        total = hashlib.sha256()
        relationships = _hash(total, _relationships(as_of))
        attestations = _hash(total, _records("attestation"))
        profiles = _hash(total, _records("profile"))
        tombstones = sum(_hash(total, _tombstones(kind)) for kind in KINDS)
    return Digest(as_of, relationships, attestations, profiles, tombstones, total.hexdigest())


def _newest() -> datetime:
    newest = (model.objects.aggregate(newest=Max("created_at"))["newest"] for model in KINDS.values())
    return max((moment for moment in newest if moment is not None), default=_EPOCH)


def _hash(total: Any, lines: Iterable[tuple[Any, ...]]) -> int:
    """Add `lines` to the hash, as one JSON array a line; how many there were."""
    count = 0
    for line in lines:
        total.update(_encode(line) + b"\n")
        count += 1
    return count


def content(model: type[Record]) -> list[str]:
    """The names of the columns that hold what a record says, in the order of the alphabet."""
    return sorted({field.name for field in model._meta.concrete_fields} - NOT_CONTENT)


def _records(kind: str) -> Iterator[tuple[Any, ...]]:
    model = KINDS[kind]
    return ((kind, *row) for row in rows(model.objects.order_by("key").values_list(*content(model))))


def _tombstones(kind: str) -> Iterator[tuple[Any, ...]]:
    deleted = KINDS[kind].with_tombstones.filter(deleted=True).order_by("key").values_list("uri")
    return ((f"deleted {kind}", *row) for row in rows(deleted))


def _relationships(as_of: datetime) -> Iterator[tuple[Any, ...]]:
    """Every relationship with its conviction: two streams in the order of the key, merged."""
    opinions = _opinions(as_of)
    group = next(opinions, None)
    for key, *row in rows(Relationship.objects.order_by("key").values_list("key", *content(Relationship))):
        while group is not None and group[0] < key:  # of relationships that never came
            group = next(opinions, None)
        conviction = score(group[1], as_of) if group is not None and group[0] == key else 0
        yield ("relationship", *row, conviction)


def _opinions(as_of: datetime) -> Iterator[tuple[UUID, Iterator[Opinion]]]:
    """(relationship's key, its attestations until `as_of` in the order of their URIs), in the order of the key.

    A group must be read before the next is asked for.
    """
    attestations = Attestation.objects.filter(
        target_key__isnull=False, attestation_type__in=WEIGHTS, created_at__lte=as_of
    ).order_by("target_key", by_bytes("uri"))
    ordered = rows(attestations.values_list("target_key", "attestation_type", "confidence", "created_at"))
    for key, group in groupby(ordered, itemgetter(0)):
        yield key, (Opinion(*row[1:]) for row in group)
