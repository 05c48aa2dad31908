"""Payloads as a stranger might publish them: JSON, and no record. Every one must be refused for good."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rhiz.graph.synthetic import identifiers

EVENT_TYPES = frozenset(
    f"{kind}.{change}" for kind in ("relationship", "attestation") for change in ("created", "updated")
)

Spoil = Callable[[dict[str, Any]], dict[str, Any]]


def _with(**fields: Any) -> Spoil:
    return lambda payload: {**payload, **fields}


def _without(field: str) -> Spoil:
    return lambda payload: {name: value for name, value in payload.items() if name != field}


ANY_RECORD: list[Spoil] = [
    _without("uri"),
    _with(uri="at://did:plc:somebodyelsesrepository22/net.rhiz.relationship.record/3jzfcijpj2z2a"),
    _with(uri="https://example.org/"),
    _with(uri=17),
    _with(uri={"at": "//"}),
]
OF_A_RELATIONSHIP: list[Spoil] = [
    _without("cid"),
    _without("created_at"),
    _with(cid="-"),
    _with(created_at="yesterday"),
    _with(created_at="2025-01-01T00:00:00"),
    _with(created_at="2025-02-30T00:00:00Z"),
    _with(participants=[]),
    _with(participants=["did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"] * 2),
    _with(participants=["did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "alice.example.org"]),
    _with(participants="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"),
    _with(strength=101),
    _with(strength=-1),
    _with(strength="80"),
    _with(strength=80.5),
    _with(strength=True),
    _with(strength=10**30),
    _with(type=""),
    _with(type=None),
    _with(context="x" * 501),
    _with(context="a\0b"),
    _with(context="a\ud800b"),
]
OF_AN_ATTESTATION: list[Spoil] = [
    _without("cid"),
    _without("confidence"),
    _with(attester_did="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"),
    _with(target_uri="at://alice.example.org/net.rhiz.relationship.record/3jzfcijpj2z2a"),
    _with(attestation_type="praise"),
    _with(confidence=101),
    _with(confidence=None),
    _with(evidence="x" * 1001),
    _with(suggested_strength=-1),
]


def event(random: Random, known: dict[str, Any]) -> dict[str, Any]:
    """`known`, an event of one of EVENT_TYPES, spoilt and under an id of its own."""
    of_its_kind = OF_A_RELATIONSHIP if known["event_type"].startswith("relationship.") else OF_AN_ATTESTATION
    spoil = random.choice(ANY_RECORD + of_its_kind)
    return {**known, "event_id": identifiers.event_id(random), "payload": spoil(known["payload"])}
