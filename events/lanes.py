"""The key of a DID, by which the log orders and blocks events, and by which it assigns lanes. Pure."""

from __future__ import annotations

from hashlib import blake2b


def did_key(did: str) -> int:
    """The 64-bit key of a DID: the first 8 bytes of its BLAKE2b hash, big-endian, as a signed integer.

    Two DIDs that share a key are ordered behind each other, which costs time and is otherwise harmless.
    """
    return int.from_bytes(blake2b(did.encode(), digest_size=8).digest(), "big", signed=True)


def lane_of(key: int, lanes: int) -> int:
    """The lane of a key in a log with so many lanes; the append statements compute the same in SQL."""
    return key % lanes
