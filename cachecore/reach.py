"""Asking Redis itself, for monitors: on a connection of its own, beside everyone's trust and the breaker."""

from __future__ import annotations

from contextlib import closing

from django.core.cache import caches

from cachecore.backend import CacheBackend
from cachecore.breaker import is_outage
from cachecore.trust import Trusted


def answers(alias: str = "default") -> bool:
    """Whether the Redis of an alias answers within `CACHE_TIMEOUT`, as a master. True where there is none to ask.

    If it does and this process serves from memory, trust is sought at once and not after the breaker's pause.
    """
    backend = caches[alias]
    if not isinstance(backend, CacheBackend) or backend.location.lasting:
        return True
    with closing(Trusted(backend.location.server, backend.params)) as once:
        try:
            once.redis.ping()
        except Exception as error:
            if not is_outage(error):
                raise
            return False
    backend.location.hurry()
    return True
