"""The primary key of a record: short, and the same on every machine.

An AT-URI may have 8,192 characters, which overflow a b-tree key, so a record is found by the first half of its
URI's SHA-256. Two URIs that share one are to be expected after about 2**64 records.
"""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

KEY_BYTES = 16


def key_hex(identifier: str) -> str:
    """The key of `identifier` (an AT-URI; for profiles the DID) as 32 hexadecimal digits."""
    return sha256(identifier.encode()).digest()[:KEY_BYTES].hex()


def key_of(identifier: str) -> UUID:
    """The key of `identifier` as models hold it."""
    return UUID(key_hex(identifier))
