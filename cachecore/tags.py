"""Tags and their stamps.

A tag is a random stamp. A value stores the stamps it was computed under and is fresh only while they match;
to invalidate is to remove the stamps. Random, not counted: a stamp that got lost is a miss, while a counter that
got lost and began again would bring stale values back.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

DIGEST = 12  # bytes: two tags of a network of 10^9 share one with a chance of 10^-11, and then share only misses
STAMP = 12  # bytes
STAMP_TTL = 30 * 24 * 3_600  # seconds: longer than any value is worth keeping; an expired stamp is a miss


class Tagged(NamedTuple):
    """A value with what it hangs on. `until`: when it is due to be loaded again, in seconds since 1970."""

    digests: tuple[bytes, ...]
    stamps: tuple[bytes, ...]
    until: float | None
    value: Any


def digest(tag: str) -> bytes:
    """A tag as it stands in the journal and in the names of stamps: short, whatever the tag holds."""
    return hashlib.blake2b(tag.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()


def digests(tags: Iterable[str]) -> tuple[bytes, ...]:
    """Each tag once, in one order, so that two readers with the same tags agree."""
    return tuple(sorted({digest(tag) for tag in tags}))


def packed(given: Iterable[bytes]) -> bytes:
    """Digests as one field of the journal."""
    return b"".join(given)


def unpacked(field: bytes) -> list[bytes]:
    """The digests of a journal's field."""
    return [field[start : start + DIGEST] for start in range(0, len(field), DIGEST)]


def stamp_key(prefix: str, of: bytes) -> bytes:
    """Where Redis keeps a stamp. No epoch in it: processes that disagree on the epoch still invalidate for each other.

    Django's keys have a number where this one says `tag`, so the two never meet.
    """
    return f"{prefix}:tag:{of.hex()}".encode()


def new_stamp() -> bytes:
    """A stamp that was never used before."""
    return os.urandom(STAMP)


def matches(stored: Sequence[bytes], current: Sequence[bytes | None]) -> bool:
    """Whether a value stored under `stored` may still be told, given the `current` stamps of the same tags."""
    return None not in current and tuple(stored) == tuple(current)
