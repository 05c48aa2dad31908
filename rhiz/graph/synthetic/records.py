"""The records that a synthetic network has lately written, and what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from rhiz.graph.synthetic import identifiers

KINDS = ("professional", "personal", "family", "social", "civic", "educational", "fellow-traveller")
CONTEXTS = ("", "work", "school", "neighbours", "choir", "Büro, 3. Stock", "同じ研究室", "met at the climbing wall")
ATTESTATION_TYPES = ("verify", "verify", "verify", "strengthen", "weaken", "dispute")
ENTITY_TYPES = ("person", "person", "person", "organization", "agent")


@dataclass(slots=True)
class Known:
    """A record that may be changed, deleted or published again."""

    uri: str
    did: str
    subject: str  # a relationship's other participant, an attestation's target
    present: bool = True


class Recent:
    """The last records of a kind, at most `limit` of them."""

    def __init__(self, limit: int = 5_000) -> None:
        self._limit = limit
        self._records: list[Known] = []
        self._oldest = 0

    def add(self, record: Known) -> None:
        """Remember `record`, in the place of the oldest when there is no room."""
        if len(self._records) < self._limit:
            self._records.append(record)
        else:
            self._records[self._oldest] = record
            self._oldest = (self._oldest + 1) % self._limit

    def any(self, random: Random) -> Known | None:
        """One of them, None if there is none. Some are chosen far more often than others."""
        return self._records[int(random.random() ** 3 * len(self._records))] if self._records else None


def relationship(random: Random, record: Known, created_at: str) -> dict[str, Any]:
    return {
        "uri": record.uri,
        "cid": identifiers.cid(random),
        "participants": [record.did, record.subject],
        "type": random.choice(KINDS),
        "strength": random.randint(0, 100),
        "context": random.choice(CONTEXTS),
        "created_at": created_at,
    }


def attestation(random: Random, record: Known, created_at: str) -> dict[str, Any]:
    """An attestation; every third in the spelling of the lexicon."""
    lexicon = random.random() < 1 / 3
    payload: dict[str, Any] = {
        "uri": record.uri,
        "cid": identifiers.cid(random),
        "attester" if lexicon else "attester_did": record.did,
        "targetRelationship" if lexicon else "target_uri": record.subject,
        "attestationType" if lexicon else "attestation_type": random.choice(ATTESTATION_TYPES),
        "confidence": random.randint(0, 100),
        "createdAt" if lexicon else "created_at": created_at,
    }
    if random.random() < 0.2:
        payload["evidence"] = random.choice(CONTEXTS)
    if random.random() < 0.2:
        payload["suggestedStrength" if lexicon else "suggested_strength"] = random.randint(0, 100)
    return payload


def profile(random: Random, did: str, created_at: str) -> dict[str, Any]:
    return {
        "uri": f"at://{did}/{identifiers.PROFILE}/self",
        "cid": identifiers.cid(random),
        "displayName": f"{random.choice(('Ada', 'Björn', 'Chidi', 'Dana', '恵美'))} {did[-4:]}",
        "entityType": random.choice(ENTITY_TYPES),
        "verified": random.random() < 0.1,
        "createdAt": created_at,
    }
