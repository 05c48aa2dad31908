"""Tagged values as they are kept and found: each with the stamps that it was computed under."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cachecore import tags
from cachecore.memory import MISSING
from cachecore.tags import Tagged

JITTER = 0.05  # of a TTL, either way: what was loaded together is not loaded again together


class Store(Protocol):
    """What `Memory` and `RedisStore` have in common for values under tags."""

    def read(self, keys: Sequence[str], digests: Sequence[bytes] = ()) -> tuple[list[Any], list[bytes | None]]: ...

    def stamps(self, digests: Sequence[bytes]) -> list[bytes | None]: ...

    def stamped(self, digests: Sequence[bytes]) -> list[bytes | None]: ...

    def set(self, key: str, value: Any, timeout: float | None) -> None: ...

    def set_many(self, data: Mapping[str, Any], timeout: float | None) -> Any: ...


def held_value(found: Any, digests: tuple[bytes, ...], stamps: Sequence[bytes | None]) -> Tagged | None:
    """What was found under a key, if it may be told to who names the tags `digests`, now under `stamps`."""
    if found is MISSING:
        return None
    if type(found) is not Tagged:
        # Set without tags: nobody can tell whether it is still true, so it is nothing to who asks for that.
        return None if digests else Tagged((), (), None, found)
    return found if found.digests == digests and tags.matches(found.stamps, stamps) else None


def fresh(held: Tagged) -> bool:
    """Whether its TTL has not run out; after that it may only bridge a load."""
    return held.until is None or time.time() < held.until


def keep(
    store: Store,
    values: Mapping[str, tuple[Any, tuple[bytes, ...], Sequence[bytes | None]]],
    ttl: float | None,
    stale_for: float = 0.0,
) -> None:
    """Keep values with their tags and stamps, by key, for `ttl` seconds (None: without end; 0: not at all)."""
    if ttl is not None and ttl <= 0:
        return
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, guards nothing
    life = None if ttl is None else ttl * spread
    until = None if life is None else time.time() + life
    records = {
        key: Tagged(digests, tuple(stamps), until, value)  # type: ignore[arg-type]  # without None, says the condition
        for key, (value, digests, stamps) in values.items()
        if None not in stamps
    }
    longest = None if life is None else life + stale_for
    if len(records) == 1:
        store.set(*next(iter(records.items())), longest)
    elif records:
        store.set_many(records, longest)
