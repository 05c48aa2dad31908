"""The events of a synthetic network, in the order of its own time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from rhiz.graph.synthetic import hostile, identifiers, records
from rhiz.graph.synthetic.mix import PLAIN, SHARES, Mix
from rhiz.graph.synthetic.records import Known, Recent

REPEATABLE = 1_000  # events that a duplicate is chosen from
FORETOLD = 0.02  # of attestations arrive before their relationship
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def events(seed: int, count: int, dids: int, mix: Mix = PLAIN) -> Iterator[dict[str, Any]]:
    """`count` events about at most `dids` people (2 or more), as `POST /internal/events` takes them.

    People are chosen by Zipf's law: the k-th about 1/k as often as the first. The same arguments give the same
    events.
    """
    network = _Network(seed, dids, mix)
    return (network.event() for _ in range(count))


class _Network:
    def __init__(self, seed: int, dids: int, mix: Mix) -> None:
        if dids < 2:
            raise ValueError("a network has at least 2 people")
        self._seed, self._dids, self._mix = seed, dids, mix
        self._random = Random(seed)
        self._microseconds = (mix.start - _EPOCH) // timedelta(microseconds=1)
        self._relationships, self._attestations = Recent(), Recent()
        self._foretold: list[Known] = []
        self._sent: list[dict[str, Any]] = []

    def event(self) -> dict[str, Any]:
        """The next event."""
        again = self._again() if self._random.random() < self._mix.duplicates else None
        if again is not None:
            return again
        event = self._plain()
        if event["event_type"] in hostile.EVENT_TYPES and self._random.random() < self._mix.hostile:
            return hostile.event(self._random, event)
        if len(self._sent) < REPEATABLE:
            self._sent.append(event)
        else:
            self._sent[self._random.randrange(REPEATABLE)] = event
        return event

    def _again(self) -> dict[str, Any] | None:
        if not self._sent:
            return None
        event = self._random.choice(self._sent)
        renamed = self._random.random() < 0.5
        return {**event, "event_id": identifiers.event_id(self._random)} if renamed else event

    def _plain(self) -> dict[str, Any]:
        self._microseconds += 1 + int(self._random.expovariate(1.0) * self._mix.pace * 1e6)
        wanted = self._random.choices(list(SHARES), weights=list(SHARES.values()))[0]
        event_type, did, payload = self._record(wanted)
        event: dict[str, Any] = {
            "event_id": identifiers.event_id(self._random),
            "event_type": event_type,
            "did": did,
            "priority": self._random.choice((0, 1, 1, 2, 3)) if self._mix.mixed_priorities else 1,
            "payload": payload,
        }
        if self._mix.rev:
            event["rev"] = identifiers.tid(self._microseconds)
        if self._mix.occurred_at:
            event["occurred_at"] = self._now.isoformat().replace("+00:00", "Z")
        return event

    def _record(self, event_type: str) -> tuple[str, str, dict[str, Any]]:
        """(event type, DID, payload): of `event_type` where there is a record for it, else of a new record."""
        now = identifiers.timestamp(self._now)
        kind, _, change = event_type.partition(".")
        if kind == "entity":
            did = self._person()
            return event_type, did, records.profile(self._random, did, now)
        if kind == "trust":
            return event_type, self._person(), {}
        recent = self._relationships if kind == "relationship" else self._attestations
        write = records.relationship if kind == "relationship" else records.attestation
        record = recent.any(self._random) if change != "created" else None
        if record is None:
            record = self._new_relationship() if kind == "relationship" else self._new_attestation()
            recent.add(record)
            change = "created"
        elif not record.present:
            change = "created"
        record.present = change != "deleted"
        payload = write(self._random, record, now) if record.present else {"uri": record.uri}
        return f"{kind}.{change}", record.did, payload

    def _new_relationship(self) -> Known:
        if self._foretold:
            return self._foretold.pop()
        did = self._person()
        return Known(self._uri(did, identifiers.RELATIONSHIP), did, self._person(other_than=did))

    def _new_attestation(self) -> Known:
        did = self._person()
        target = self._relationships.any(self._random)
        if target is None or self._random.random() < FORETOLD:
            target = self._new_relationship()
            self._foretold.append(target)
        return Known(self._uri(did, identifiers.ATTESTATION), did, target.uri)

    @property
    def _now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._microseconds)

    def _uri(self, did: str, collection: str) -> str:
        self._microseconds += 1  # two records of one moment still have different keys
        return f"at://{did}/{collection}/{identifiers.tid(self._microseconds)}"

    def _person(self, other_than: str = "") -> str:
        while True:
            rank = int((self._dids + 1) ** self._random.random())  # 1 to dids
            did = identifiers.did(self._seed, rank)
            if did != other_than:
                return did
