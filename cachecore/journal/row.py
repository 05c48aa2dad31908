"""What is read out of the journal."""

from __future__ import annotations

from typing import NamedTuple

from cachecore.tags import unpacked


class Row(NamedTuple):
    """An invalidation as it is read back."""

    id: int
    space: str
    digests: list[bytes]

    @classmethod
    def read(cls, id: int, space: str, digests: bytes | memoryview) -> Row:
        """From the columns of these names."""
        return cls(id, space, unpacked(bytes(digests)))


class Since(NamedTuple):
    """What a follower has seen: from where it reads on, and the ids beyond that which it knows."""

    cursor: int
    seen: frozenset[int] = frozenset()
