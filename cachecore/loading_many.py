"""Reading many keys through the cache, each with tags of its own: one round trip, one load for all that is missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from cachecore import invalidation, tags
from cachecore.breaker import is_outage
from cachecore.location import Mode
from cachecore.records import fresh, held_value, keep
from cachecore.statistics import HITS, MISSES, SETS
from cachecore.trust import Trusted

if TYPE_CHECKING:
    from cachecore.backend import CacheBackend

Loader = Callable[[list[str]], Mapping[str, Any]]
Tags = Mapping[str, tuple[bytes, ...]]
Stamps = dict[str, list[bytes | None]]  # by key


def read_many(
    backend: CacheBackend, wanted: Mapping[str, Collection[str]], loader: Loader, ttl: float | None
) -> dict[str, Any]:
    """See `cachecore.interface.Cache.get_or_set_many`."""
    digests = {key: tags.digests(tagged) for key, tagged in wanted.items()}
    if not digests:
        return {}
    while True:
        mode = backend.location.mode
        try:
            found, stamps = _held(backend, mode, digests)
            break
        except Exception as error:
            _bear(backend, mode, error)
    missing = [key for key in wanted if key not in found]
    counts = backend.location.counts
    for key in wanted:
        counts.add(key, HITS if key in found else MISSES)
    if not missing:
        return found
    loaded = dict(loader(missing))
    values = {
        backend.make_and_validate_key(key): (value, digests[key], stamps[key])
        for key, value in loaded.items()
        if key in stamps
    }
    if invalidation.may_store():  # the loader may have written
        try:
            keep(backend.store(mode), values, ttl)
        except Exception as error:
            _bear(backend, mode, error)
        for key in stamps.keys() & loaded.keys():
            counts.add(key, SETS)
    return {key: (found | loaded)[key] for key in wanted if key in found or key in loaded}


def _held(backend: CacheBackend, mode: Mode, digests: Tags) -> tuple[dict[str, Any], Stamps]:
    """What may be told, by key, and the stamps under which what is missing may be kept, as far as it may."""
    known = mode.current()
    usable = {key: own for key, own in digests.items() if known and not invalidation.pending(backend.space, own)}
    store = backend.store(mode)
    every = tuple({one: None for own in usable.values() for one in own})
    made = [backend.make_and_validate_key(key) for key in usable]
    values, current = store.read(made, every) if usable else ([], [])
    now = dict(zip(every, current, strict=True))
    found = {}
    for (key, own), value in zip(usable.items(), values, strict=True):
        held = held_value(value, own, [now[one] for one in own])
        if held is not None and fresh(held):
            found[key] = held.value
    if len(found) == len(digests) or not invalidation.may_store():
        return found, {}
    missing = {key: own for key, own in usable.items() if key not in found}
    lacking = list({one: None for own in missing.values() for one in own if now[one] is None})
    if lacking:
        now |= zip(lacking, store.stamped(lacking), strict=True)
    return found, {key: [now[one] for one in own] for key, own in missing.items()}


def _bear(backend: CacheBackend, mode: Mode, error: Exception) -> None:
    if not is_outage(error) or not isinstance(mode, Trusted):
        raise error
    backend.location.lose(mode, error)
