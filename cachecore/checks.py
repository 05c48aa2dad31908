"""System checks: settings that cost correctness or speed, and a Redis that is configured but not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from cachecore import journal
from cachecore.backend import CacheBackend
from cachecore.conf import CacheConf
from cachecore.trust import Trusted

BOUNDS: dict[str, tuple[float, float]] = {
    "default_ttl": (1, 31_536_000),
    "max_memory_size": (1, 100_000_000),
    "fallback_staleness": (0, 60),
    "timeout": (0.001, 60),
}
LONG = 1.0  # seconds; each call of each thread may wait that long when an outage begins


def register_all() -> None:
    """Register the checks below; called when the app is ready."""
    register(check_settings, Tags.caches)
    register(check_aliases, Tags.caches)
    register(check_redis, Tags.caches)
    register(check_database, Tags.database)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Every CACHE_* setting is a number within its bounds."""
    conf = CacheConf.from_settings()
    return [
        Error(f"CACHE_{name.upper()} is {value!r}: it takes a number from {low:g} to {high:g}.", id="cachecore.E001")
        for name, (low, high) in BOUNDS.items()
        if not isinstance(value := getattr(conf, name), int | float) or not low <= value <= high
    ]


def check_database(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The journal's database is one that it runs on."""
    alias = journal.database()
    if alias not in (databases or []) or connections[alias].vendor in ("postgresql", "sqlite"):
        return []
    vendor = connections[alias].vendor
    return [Error(f"The journal of invalidations runs on PostgreSQL and SQLite, not on {vendor}.", id="cachecore.E002")]


def check_aliases(**_: Any) -> list[CheckMessage]:
    """What the aliases on this backend say in CACHES."""
    ours = _ours()
    messages = [message for alias, backend in ours.items() for message in _check(alias, backend)]
    places: dict[str, set[str]] = {}
    for backend in ours.values():
        places.setdefault(backend.space, set()).add(backend.location.server)
    messages += [
        Error(
            f"KEY_PREFIX {prefix!r} is used at {len(servers)} LOCATIONs: an invalidation performed at one of them "
            "counts as performed at the others.",
            hint="Give each LOCATION a KEY_PREFIX of its own.",
            id="cachecore.E003",
        )
        for prefix, servers in places.items()
        if len(servers) > 1
    ]
    return messages


def check_redis(**_: Any) -> list[CheckMessage]:
    """Redis answers where it is configured, and goes on taking writes when it is full."""
    return [message for alias, backend in _ours().items() if backend.expects_redis for message in _ask(alias, backend)]


def _ours() -> dict[str, CacheBackend]:
    return {alias: backend for alias in settings.CACHES if isinstance(backend := caches[alias], CacheBackend)}


def _check(alias: str, backend: CacheBackend) -> Iterator[CheckMessage]:
    options: dict[str, Any] = backend.params.get("OPTIONS", {})
    where = f"CACHES[{alias!r}]"
    if "," in backend.location.server:
        yield Warning(
            f"{where} has several servers in LOCATION: only the first, the primary, is asked.",
            hint="A replica answers with what was true some time ago. Use Sentinel to survive a primary.",
            id="cachecore.W002",
        )
    if options.get("IGNORE_EXCEPTIONS") or getattr(settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False):
        yield Warning(
            f"{where} is told to ignore exceptions: the setting has no effect, outages are borne by local memory.",
            id="cachecore.W003",
        )
    if "SERIALIZER" in options:
        yield Warning(
            f"{where} has a SERIALIZER: it has no effect, cachecore pickles values and signs them.",
            id="cachecore.W004",
        )
    pool = options.get("CONNECTION_POOL_KWARGS", {})
    waits = [options.get("SOCKET_TIMEOUT"), options.get("SOCKET_CONNECT_TIMEOUT"), pool.get("socket_timeout")]
    if any(wait is not None and wait > LONG for wait in waits) or "retry" in pool:
        yield Warning(
            f"{where} waits long for Redis or repeats commands: an outage then stops each thread for that long.",
            hint=f"Leave timeouts at CACHE_TIMEOUT, below {LONG:g} s, and retries out.",
            id="cachecore.W005",
        )


def _ask(alias: str, backend: CacheBackend) -> Iterator[CheckMessage]:
    candidate = Trusted(backend.location.server, backend.params)
    try:
        memory = candidate.redis.info("memory")
    except Exception as error:
        yield Warning(
            f"CACHES[{alias!r}]: Redis can't be relied on now: {error}. Local memory serves in its place.",
            id="cachecore.W006",
        )
        return
    finally:
        candidate.close()
    if memory.get("maxmemory") and memory.get("maxmemory_policy") == "noeviction":
        yield Warning(
            f"CACHES[{alias!r}]: Redis has a memory limit and no eviction: once full, it counts as an outage.",
            hint="Set maxmemory-policy to allkeys-lru.",
            id="cachecore.W007",
        )
