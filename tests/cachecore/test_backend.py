"""Django's cache contract holds on Redis, on memory, and while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import InvalidCacheKey, caches

from cachecore import cache
from cachecore.backend import CacheBackend

CONFIGURED = str(settings.CACHES["default"]["LOCATION"])
NOWHERE = "redis://127.0.0.1:1/0"  # nobody listens there
PREFIX = "test-backend"


@pytest.fixture(params=["configured", "memory", "away"])
def store(request: pytest.FixtureRequest) -> Iterator[CacheBackend]:
    """The configured cache (Redis in the run that has one), plain memory, and a Redis that can't be reached."""
    location = {"configured": CONFIGURED, "memory": "", "away": NOWHERE}[request.param]
    made = _backend(location)
    made.clear()
    yield made
    made.clear()
    made.location.stop()


def _backend(location: str, **params: Any) -> CacheBackend:
    return CacheBackend(location, {"KEY_PREFIX": PREFIX, "TIMEOUT": 60, **params})


def test_a_value_is_kept_under_its_version(store: CacheBackend) -> None:
    store.set("a", {"x": [1, None]}, version=2)

    assert store.get("a", version=2) == {"x": [1, None]}
    assert store.get("a", "none", version=1) == "none"


def test_none_is_a_value(store: CacheBackend) -> None:
    store.set("a", None)

    assert store.get("a", "default") is None
    assert store.has_key("a")
    assert store.get_or_set("a", "other") is None


def test_add_keeps_what_is_there(store: CacheBackend) -> None:
    assert store.add("a", 1) is True
    assert store.add("a", 2) is False
    assert store.get("a") == 1


def test_delete_and_touch_tell_whether_the_key_was_there(store: CacheBackend) -> None:
    store.set("a", 1)

    assert store.touch("a", 30) is True
    assert store.delete("a") is True
    assert store.delete("a") is False
    assert store.touch("a", 30) is False


def test_incr_and_decr_count_and_refuse_a_missing_key(store: CacheBackend) -> None:
    store.set("a", 1)

    assert store.incr("a", 4) == 5
    assert store.decr("a") == 4
    with pytest.raises(ValueError, match="not found"):
        store.incr("missing")


def test_many_at_once(store: CacheBackend) -> None:
    assert store.set_many({"a": 1, "b": None}) == []
    assert store.get_many(["a", "b", "c"]) == {"a": 1, "b": None}

    store.delete_many(["a", "b"])
    assert store.get_many(["a", "b"]) == {}


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_value_without_time_to_live_is_not_kept(store: CacheBackend, timeout: int) -> None:
    store.set("a", 1, timeout=timeout)

    assert store.get("a") is None


def test_a_value_ends_with_its_time(store: CacheBackend) -> None:
    store.set("a", 1, timeout=1)
    time.sleep(1.1)

    assert store.get("a") is None


def test_clear_empties_every_version_of_our_prefix(store: CacheBackend) -> None:
    store.set("a", 1, version=1)
    store.set("a", 1, version=2)
    store.clear()

    assert store.get("a", version=1) is None
    assert store.get("a", version=2) is None


@pytest.mark.parametrize(
    "use",
    [
        lambda store, key: store.get(key),
        lambda store, key: store.set(key, 1),
        lambda store, key: store.get_many([key]),
        lambda store, key: store.set_many({key: 1}),
        lambda store, key: store.delete_many([key]),
        lambda store, key: store.incr(key),
    ],
)
def test_a_key_that_memcached_would_refuse_is_warned_of(
    store: CacheBackend, use: Callable[[CacheBackend, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str) -> None:
        raise InvalidCacheKey(key)

    monkeypatch.setattr(store, "validate_key", refuse)
    with pytest.raises(InvalidCacheKey):
        use(store, "two words")


async def test_the_async_twins_work(store: CacheBackend) -> None:
    await store.aset("a", 1)

    assert await store.aget("a") == 1


def test_clear_leaves_other_prefixes_alone(store: CacheBackend) -> None:
    other = _backend(store.location.server, KEY_PREFIX=f"{PREFIX}*")
    other.set("a", 1)
    store.clear()

    assert other.get("a") == 1
    other.clear()


def test_one_failure_is_paid_once(caplog: pytest.LogCaptureFixture) -> None:
    away = _backend(NOWHERE)
    away.set("a", 1)
    began = time.monotonic()
    for _ in range(100):
        away.get("a")

    assert time.monotonic() - began < 0.1
    assert away.mode == "memory"
    assert [record.getMessage() for record in caplog.records] == ["the cache can't rely on Redis or its journal"]
    away.location.stop()


def test_a_redis_that_does_not_answer_costs_one_timeout() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        away = _backend(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        began = time.monotonic()
        away.set("a", 1)
        spent = time.monotonic() - began

        assert spent < 0.5
        assert away.get("a") == 1
        away.location.stop()


def test_a_mistake_of_the_program_is_not_taken_for_an_outage(store: CacheBackend) -> None:
    with pytest.raises((TypeError, AttributeError)):
        store.set("a", lambda: None)


def test_the_public_door_is_the_default_cache() -> None:
    cache.set("a", 1)

    assert caches["default"].get("a") == cache.get("a") == 1
    assert isinstance(caches["default"], CacheBackend)


def test_the_suite_runs_on_the_cache_it_was_given() -> None:
    expected = "redis" if settings.CACHE_BACKEND == "redis" else "memory"

    assert _backend(CONFIGURED).mode == expected
