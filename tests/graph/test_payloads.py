"""Payloads: every spelling is read, and nothing but PermanentError comes of those that do not fit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import PermanentError
from events.registry import processor_for
from rhiz.graph.record_key import key_of
from rhiz.graph.rows import AttestationRow, ProfileRow, RelationshipRow
from tests.graph import database, model

ALICE, BOB = "did:plc:alice", "did:plc:bob"
TARGET = f"at://{BOB}/net.rhiz.relationship.record/3jzfcijpj2z2a"
COMMON = {"cid": "bafyreiabc", "created_at": "2025-01-01T12:00:00.123456789+02:00"}
PAYLOADS: dict[str, dict[str, Any]] = {
    "relationship.created": {
        "uri": f"at://{ALICE}/net.rhiz.relationship.record/1",
        "participants": [ALICE, BOB],
        "type": "fellow-traveller",
        "strength": 80,
        "context": "wörk",
        **COMMON,
    },
    "attestation.created": {
        "uri": f"at://{ALICE}/net.rhiz.relationship.attestation/1",
        "attester_did": ALICE,
        "target_uri": TARGET,
        "attestation_type": "verify",
        "confidence": 90,
        "evidence": "seen",
        "suggested_strength": 0,
        **COMMON,
    },
    "entity.profile.updated": {
        "uri": f"at://{ALICE}/net.rhiz.entity.profile/self",
        "display_name": "Alice",
        "entity_type": "person",
        "bio": "b",
        "avatar_url": "https://example.org/a.png",
        "verified": True,
        **COMMON,
    },
}
CAMEL = {
    "created_at": "createdAt",
    "attester_did": "attesterDid",
    "target_uri": "targetUri",
    "attestation_type": "attestationType",
    "suggested_strength": "suggestedStrength",
    "display_name": "displayName",
    "entity_type": "entityType",
    "avatar_url": "avatarUrl",
}
LEXICON = {**CAMEL, "attester_did": "attester", "target_uri": "targetRelationship"}


def decode(event_type: str, payload: Any, text: str | None = None) -> Any:
    """What the event's processor makes of `payload`, or of JSON `text`."""
    event = {"event_id": f"{1:032x}", "event_type": event_type, "did": ALICE, "payload": payload}
    entry = database.entry(event, 5)
    entry.payload_text = entry.payload_text if text is None else text
    processor = processor_for(event_type)
    assert processor is not None and processor.decode is not None
    return processor.decode(entry)


def refusal(event_type: str, **changes: Any) -> str:
    with pytest.raises(PermanentError) as caught:
        decode(event_type, {**PAYLOADS[event_type], **changes})
    return str(caught.value)


def respelt(payload: dict[str, Any], spelling: dict[str, str]) -> dict[str, Any]:
    return {spelling.get(name, name): value for name, value in payload.items()}


@pytest.mark.parametrize("spelling", [{}, CAMEL, LEXICON])
def test_a_relationship_in_every_spelling(spelling: dict[str, str]) -> None:
    payload = PAYLOADS["relationship.created"]
    row = decode("relationship.created", respelt(payload, spelling))
    assert row == RelationshipRow(
        key=key_of(payload["uri"]).hex,
        uri=payload["uri"],
        did=ALICE,
        version=int(database.RECEIVED.timestamp() * 1e6),
        event=5,
        cid="bafyreiabc",
        created_at=datetime(2025, 1, 1, 10, 0, 0, 123456, tzinfo=UTC),
        participant_a=ALICE,
        participant_b=BOB,
        kind="fellow-traveller",
        strength=80,
        context="wörk",
    )


@pytest.mark.parametrize("spelling", [{}, CAMEL, LEXICON])
def test_an_attestation_in_every_spelling(spelling: dict[str, str]) -> None:
    row = decode("attestation.updated", respelt(PAYLOADS["attestation.created"], spelling))
    assert isinstance(row, AttestationRow)
    assert (row.did, row.target_uri, row.target_key) == (ALICE, TARGET, key_of(TARGET).hex)
    assert (row.attestation_type, row.confidence, row.evidence, row.suggested_strength) == ("verify", 90, "seen", 0)


@pytest.mark.parametrize("spelling", [{}, CAMEL])
def test_a_profile_in_every_spelling(spelling: dict[str, str]) -> None:
    row = decode("entity.profile.updated", respelt(PAYLOADS["entity.profile.updated"], spelling))
    assert isinstance(row, ProfileRow)
    assert (row.key, row.display_name, row.entity_type) == (key_of(ALICE).hex, "Alice", "person")
    assert (row.bio, row.avatar_url, row.verified) == ("b", "https://example.org/a.png", True)


def test_a_profile_needs_nothing() -> None:
    row = decode("entity.profile.updated", {})
    assert (row.uri, row.display_name, row.created_at) == (f"at://{ALICE}/net.rhiz.entity.profile/self", "", None)


@pytest.mark.parametrize("kind", ["relationship", "attestation"])
def test_a_deletion_needs_the_uri_alone(kind: str) -> None:
    payload = {"uri": PAYLOADS[f"{kind}.created"]["uri"], "cid": None, "strength": "ignored"}
    row = decode(f"{kind}.deleted", payload)
    assert row.deleted
    assert (row.uri, row.did, row.cid, row.created_at) == (payload["uri"], ALICE, "", None)


@pytest.mark.parametrize("missing", ["context", "evidence", "suggested_strength"])
def test_what_may_be_missing_may_be_null(missing: str) -> None:
    for event_type in ("relationship.created", "attestation.created"):
        absent = {name: value for name, value in PAYLOADS[event_type].items() if name != missing}
        assert decode(event_type, absent) == decode(event_type, {**absent, missing: None})


@pytest.mark.parametrize(
    ("event_type", "field"),
    [("relationship.created", name) for name in ("uri", "cid", "participants", "type", "strength", "created_at")]
    + [
        ("attestation.created", name)
        for name in ("uri", "cid", "attester_did", "target_uri", "attestation_type", "confidence", "created_at")
    ],
)
def test_what_is_required_is_named_when_it_is_missing(event_type: str, field: str) -> None:
    assert refusal(event_type, **{field: None}).startswith(f"{field}: missing; allowed: ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strength": 101}, "strength: 101; allowed: an integer from 0 to 100"),
        ({"strength": "80"}, "strength: '80'; allowed: an integer from 0 to 100"),
        ({"strength": True}, "strength: True; allowed: an integer from 0 to 100"),
        ({"participants": [ALICE]}, f"participants: ['{ALICE}']; allowed: exactly two different DIDs"),
        ({"participants": [ALICE, 7]}, f"participants: ['{ALICE}', 7]; allowed: exactly two different DIDs"),
        ({"participants": [ALICE, "bob.example.org"]}, "participants: 'bob.example.org'; allowed: a DID such as"),
        ({"type": ""}, "type: ''; allowed: 1-100 characters"),
        ({"context": "a\0b"}, r"context: 'a\x00b'; allowed: text without NUL characters"),
        ({"uri": TARGET}, f"uri: '{TARGET}'; allowed: a record of the event's own did"),
        ({"uri": "https://example.org"}, "uri: 'https://example.org'; allowed: at://"),
        ({"cid": "x"}, "cid: 'x'; allowed: "),
        ({"created_at": "2025-01-01"}, "created_at: '2025-01-01'; allowed: an RFC 3339 datetime"),
    ],
)
def test_a_refused_relationship_is_told_why(changes: dict[str, Any], message: str) -> None:
    assert refusal("relationship.created", **changes).startswith(message)


def test_a_refused_field_is_named_as_it_was_spelt() -> None:
    text = refusal("attestation.created", attestationType="praise")
    assert text == "attestationType: 'praise'; allowed: verify, dispute, strengthen or weaken"


def test_an_attestation_is_its_attesters_own() -> None:
    assert refusal("attestation.created", attester_did=BOB) == f"attester_did: '{BOB}'; allowed: the event's own did"


def test_long_values_are_shown_in_part() -> None:
    assert len(refusal("relationship.created", context="x" * 60_000)) < 200


@pytest.mark.parametrize("length", [500, 501])
def test_lengths_are_counted_in_characters(length: int) -> None:
    payload = {**PAYLOADS["relationship.created"], "context": "é" * length}
    if length == 500:
        assert decode("relationship.created", payload).context == "é" * 500
    else:
        assert refusal("relationship.created", context="é" * length).startswith("context: ")


def test_trust_is_about_the_events_did_unless_the_payload_says_another() -> None:
    assert decode("trust.invalidated", {}) == ALICE
    assert decode("trust.invalidated", {"did": BOB}) == BOB
    with pytest.raises(PermanentError, match="did: 'bob'"):
        decode("trust.invalidated", {"did": "bob"})


HOSTILE_TEXTS = [
    "",
    "{",
    "[]",
    "null",
    "7",
    '"text"',
    "NaN",
    '{"strength": 1e400}',
    '{"strength": ' + "9" * 5_000 + "}",
    '{"context": "\\ud800"}',
    '{"context": "\ud800"}',
    '{"participants": ' + "[" * 10_000 + "]" * 10_000 + "}",
    '{"x": ' + "[" * 10_000 + "]" * 10_000 + "}",
    '{"uri": "a", "uri": 5}',
    "{} {}",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("event_type", ["relationship.created", "relationship.deleted", "attestation.created"])
@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
def test_hostile_text_is_refused(event_type: str, text: str) -> None:
    with pytest.raises(PermanentError) as caught:
        decode(event_type, {}, text)
    assert str(caught.value).isascii()  # the reason is stored: it must not carry what can't be


@settings(deadline=None)
@given(event_type=st.sampled_from(sorted(PAYLOADS)), data=st.data())
def test_a_spoilt_payload_is_refused_exactly_when_the_model_refuses_it(event_type: str, data: st.DataObject) -> None:
    payload = {**PAYLOADS[event_type]}
    field = data.draw(st.sampled_from(sorted(payload)))
    payload[field] = data.draw(json_values | st.sampled_from(["", ALICE, TARGET, 0, 100, 101, [BOB, ALICE]]))
    event = {"event_id": f"{1:032x}", "event_type": event_type, "did": ALICE, "payload": payload}
    fine = not model.dead([event])
    try:
        decode(event_type, payload, json.dumps(payload))
        assert fine
    except PermanentError:
        assert not fine
