"""Identifiers that look like the network's, made of random bits."""

from __future__ import annotations

from base64 import b32encode
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from random import Random
from uuid import UUID

TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
RELATIONSHIP = "net.rhiz.relationship.record"
ATTESTATION = "net.rhiz.relationship.attestation"
PROFILE = "net.rhiz.entity.profile"


@lru_cache(maxsize=100_000)
def did(seed: int, index: int) -> str:
    """The DID of the network's person `index`."""
    return f"did:plc:{b32encode(blake2b(f'{seed}:{index}'.encode(), digest_size=15).digest()).decode().lower()}"


def cid(random: Random) -> str:
    return f"bafyrei{b32encode(random.randbytes(33)).decode().lower()[:52]}"


def event_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def tid(microseconds: int) -> str:
    """The TID of a time in microseconds since 1970, on clock 0."""
    number = microseconds << 10
    return "".join(TID_ALPHABET[number >> shift & 31] for shift in range(60, -5, -5))


def timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
