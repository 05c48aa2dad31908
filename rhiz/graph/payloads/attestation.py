"""attestation.created, attestation.updated and attestation.deleted."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from events import Entry, syntax
from rhiz.graph.payloads import identity
from rhiz.graph.payloads.deletion import tombstone
from rhiz.graph.payloads.shape import Shape, refusal
from rhiz.graph.record_key import key_hex
from rhiz.graph.rows import AttestationRow

EVIDENCE_LIMIT = 1000  # characters

Percent = Annotated[int, Meta(ge=0, le=100)]
AttestationType = Literal["verify", "dispute", "strengthen", "weaken"]


class AttestationPayload(Struct, frozen=True, gc=False):
    uri: str | None = None
    cid: str | None = None
    attester_did: str | None = None
    attester_did_camel: str | None = field(default=None, name="attesterDid")
    attester: str | None = None
    target_uri: str | None = None
    target_uri_camel: str | None = field(default=None, name="targetUri")
    target_relationship: str | None = None
    target_relationship_camel: str | None = field(default=None, name="targetRelationship")
    attestation_type: AttestationType | None = None
    attestation_type_camel: AttestationType | None = field(default=None, name="attestationType")
    confidence: Percent | None = None
    evidence: Annotated[str, Meta(max_length=EVIDENCE_LIMIT)] | None = None
    suggested_strength: Percent | None = None
    suggested_strength_camel: Percent | None = field(default=None, name="suggestedStrength")
    created_at: str | None = None
    created_at_camel: str | None = field(default=None, name="createdAt")


_ATTESTER = "the event's own did"
_TARGET = f"a relationship's URI: {syntax.URI_ALLOWED}"
_TYPE = "verify, dispute, strengthen or weaken"
_PERCENT = "an integer from 0 to 100"
ALLOWED = {
    "uri": syntax.URI_ALLOWED,
    "cid": syntax.CID_ALLOWED,
    "attester_did": _ATTESTER,
    "attesterDid": _ATTESTER,
    "attester": _ATTESTER,
    "target_uri": _TARGET,
    "targetUri": _TARGET,
    "target_relationship": _TARGET,
    "targetRelationship": _TARGET,
    "attestation_type": _TYPE,
    "attestationType": _TYPE,
    "confidence": _PERCENT,
    "evidence": f"at most {EVIDENCE_LIMIT} characters",
    "suggested_strength": _PERCENT,
    "suggestedStrength": _PERCENT,
    "created_at": syntax.DATETIME_ALLOWED,
    "createdAt": syntax.DATETIME_ALLOWED,
}
SHAPE = Shape(AttestationPayload, ALLOWED)


def decode(entry: Entry) -> AttestationRow:
    """The row that an attestation's event leaves. Raises PermanentError."""
    if entry.event_type.endswith(".deleted"):
        return tombstone(entry, AttestationRow)
    payload = SHAPE.decode(entry.payload_text)
    uri = identity.own_uri(entry, payload.uri)
    attester = payload.attester_did or payload.attester_did_camel or payload.attester
    if attester != entry.did:
        raise refusal("attester_did", attester, _ATTESTER)
    attestation_type = payload.attestation_type or payload.attestation_type_camel
    if attestation_type is None:
        raise refusal("attestation_type", None, _TYPE)
    if payload.confidence is None:
        raise refusal("confidence", None, _PERCENT)
    suggested = payload.suggested_strength
    evidence = payload.evidence or ""
    identity.storable(evidence=evidence)
    target = _target(payload)
    return AttestationRow(
        key=key_hex(uri),
        uri=uri,
        did=entry.did,
        version=entry.version,
        event=entry.id,
        cid=identity.cid(payload.cid),
        created_at=identity.moment("created_at", payload.created_at or payload.created_at_camel),
        target_uri=target,
        target_key=key_hex(target),
        attestation_type=attestation_type,
        confidence=payload.confidence,
        evidence=evidence,
        suggested_strength=payload.suggested_strength_camel if suggested is None else suggested,
    )


def _target(payload: AttestationPayload) -> str:
    """The URI of what is attested; whether it is there is not asked, because it may arrive later."""
    target = (
        payload.target_uri
        or payload.target_uri_camel
        or payload.target_relationship
        or payload.target_relationship_camel
    )
    try:
        syntax.parse_record_uri(target or "")
    except ValueError:
        raise refusal("target_uri", target, _TARGET) from None
    return target or ""
