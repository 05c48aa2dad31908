"""A Django cache on Redis that goes on in local memory while Redis can't be trusted, and never tells a value
whose invalidation had returned before it was asked for.

The public door: `cache` is the default alias, `Cache("alias")` another; `gathering()` makes one row of the journal
of all that a transaction invalidates; `escape()` puts a value into a pattern literally.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from cachecore.interface import Cache
from cachecore.patterns import escape

__all__ = ["Cache", "cache", "escape", "gathering"]

cache = Cache()


def gathering(using: str | None = None) -> AbstractContextManager[None]:
    """Within this block, inside a transaction, all that is invalidated becomes one row, written where it ends."""
    # Django imports this package before its models can be.
    from cachecore import invalidation

    return invalidation.gathering(using)
