"""What the tables must hold after a list of events: the rules once more, slowly and plainly.

It shares no code with the graph, so that the two can disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Event = Mapping[str, Any]
Row = dict[str, Any]

DID = r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]"
URI = rf"at://({DID})/[a-z][a-zA-Z0-9.-]*\.[a-zA-Z]+/[a-zA-Z0-9._:~-]{{1,512}}"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
TIDS = "234567abcdefghijklmnopqrstuvwxyz"


class Refused(Exception):
    """The event must end dead."""


@dataclass
class Tables:
    """The content of the graph's tables, without keys and versions."""

    relationships: dict[str, Row] = field(default_factory=dict)  # by URI
    attestations: dict[str, Row] = field(default_factory=dict)  # by URI
    profiles: dict[str, Row] = field(default_factory=dict)  # by DID
    tombstones: set[tuple[str, str]] = field(default_factory=set)  # (kind, URI)


def apply(events: Iterable[Event]) -> Tables:
    """The tables after `events`, given in the order in which they were appended; the dead ones change nothing.

    An event without `rev` and `occurred_at` counts as newer than all that have one: the events' own times must lie
    before the test's.
    """
    newest: dict[tuple[str, str], tuple[tuple[int, int, int], Row | None]] = {}
    seen: set[str] = set()
    for position, event in enumerate(events):
        if event["event_id"] in seen:
            continue
        seen.add(event["event_id"])
        try:
            kind, identifier, row = record(event)
        except Refused:
            continue
        if kind == "trust":
            continue
        version = (*written(event), position)
        if (kind, identifier) not in newest or newest[kind, identifier][0] < version:
            newest[kind, identifier] = (version, row)
    tables = Tables()
    by_kind = {"relationship": tables.relationships, "attestation": tables.attestations, "entity": tables.profiles}
    for (kind, identifier), (_, row) in newest.items():
        if row is None:
            tables.tombstones.add((kind, identifier))
        else:
            by_kind[kind][identifier] = row
    return tables


def dead(events: Iterable[Event]) -> set[str]:
    """The event_ids of those that must end dead."""
    found = set()
    for event in events:
        try:
            record(event)
        except Refused:
            found.add(event["event_id"])
    return found


def written(event: Event) -> tuple[int, int]:
    """(0, when the event says that it happened in microseconds), or (1, 0) if it does not say."""
    if event.get("rev"):
        number = 0
        for character in event["rev"]:
            number = number * 32 + TIDS.index(character)
        return 0, number // 1024
    if event.get("occurred_at"):
        since = moment(event["occurred_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
        return 0, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return 1, 0


def record(event: Event) -> tuple[str, str, Row | None]:
    """(kind, URI or DID, the record's row or None if it is deleted)."""
    kind, _, change = event["event_type"].partition(".")
    payload = event["payload"]
    _storable(payload)
    if kind == "trust":
        _need("did" not in payload or _is(DID, payload["did"]))
        return kind, "", None
    if kind == "entity":
        return kind, event["did"], profile(event, payload)
    uri = own_uri(event, payload)
    if change == "deleted":
        return kind, uri, None
    return kind, uri, (relationship if kind == "relationship" else attestation)(event, payload)


def relationship(event: Event, payload: Mapping[str, Any]) -> Row:
    people: Any = payload.get("participants")
    _need(isinstance(people, list) and len(people) == 2 and people[0] != people[1])
    _need(all(_is(DID, did) for did in people))
    return {
        **common(event, payload),
        "participant_a": people[0],
        "participant_b": people[1],
        "kind": text(payload.get("type"), 1, 100),
        "strength": percent(payload.get("strength")),
        "context": optional(payload.get("context"), 500),
    }


def attestation(event: Event, payload: Mapping[str, Any]) -> Row:
    _need(first(payload, "attester_did", "attesterDid", "attester") == event["did"])
    target = first(payload, "target_uri", "targetUri", "target_relationship", "targetRelationship")
    _need(_is(URI, target))
    attestation_type = first(payload, "attestation_type", "attestationType")
    _need(attestation_type in ("verify", "dispute", "strengthen", "weaken"))
    suggested = payload.get("suggested_strength")
    suggested = payload.get("suggestedStrength") if suggested is None else suggested
    return {
        **common(event, payload),
        "target_uri": target,
        "attestation_type": attestation_type,
        "confidence": percent(payload.get("confidence")),
        "evidence": optional(payload.get("evidence"), 1000),
        "suggested_strength": None if suggested is None else percent(suggested),
    }


def profile(event: Event, payload: Mapping[str, Any]) -> Row:
    if payload.get("uri") is not None:
        own_uri(event, payload)
    created_at = first(payload, "created_at", "createdAt")
    verified = payload.get("verified")
    _need(verified is None or isinstance(verified, bool))
    return {
        "uri": payload.get("uri") or f"at://{event['did']}/net.rhiz.entity.profile/self",
        "did": event["did"],
        "cid": "" if payload.get("cid") is None else cid(payload),
        "created_at": None if created_at is None else moment(created_at),
        "display_name": optional(first(payload, "display_name", "displayName"), 200),
        "entity_type": optional(first(payload, "entity_type", "entityType"), 100),
        "bio": optional(payload.get("bio"), 1000),
        "avatar_url": optional(first(payload, "avatar_url", "avatarUrl"), 8192),
        "verified": verified or False,
    }


def common(event: Event, payload: Mapping[str, Any]) -> Row:
    created_at = moment(first(payload, "created_at", "createdAt"))
    return {"uri": payload["uri"], "did": event["did"], "cid": cid(payload), "created_at": created_at}


def cid(payload: Mapping[str, Any]) -> str:
    value = payload.get("cid")
    _need(_is(r"[a-zA-Z0-9+=]{8,256}", value))
    return value  # type: ignore[return-value]


def own_uri(event: Event, payload: Mapping[str, Any]) -> str:
    uri = payload.get("uri")
    _need(_is(URI, uri) and re.fullmatch(URI, uri)[1] == event["did"])  # type: ignore[index, arg-type]
    return uri  # type: ignore[return-value]


def first(payload: Mapping[str, Any], *names: str) -> Any:
    return next((payload[name] for name in names if payload.get(name) not in (None, "")), None)


def percent(value: Any) -> int:
    _need(type(value) is int and 0 <= value <= 100)
    return value


def text(value: Any, least: int, most: int) -> str:
    _need(isinstance(value, str) and least <= len(value) <= most)
    return value


def optional(value: Any, most: int) -> str:
    return "" if value is None else text(value, 0, most)


def moment(value: Any) -> datetime:
    _need(_is(MOMENT, value))
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused from None


def _is(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _storable(value: Any) -> None:
    """Refuse what no database of ours can hold, wherever in the payload it is."""
    if isinstance(value, str):
        _need("\0" not in value and not re.search("[\ud800-\udfff]", value))
    elif isinstance(value, Mapping):
        _storable([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for element in value:
            _storable(element)


def _need(holds: bool) -> None:
    if not holds:
        raise Refused
