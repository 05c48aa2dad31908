"""Django's cache contract holds on Redis, on memory, and while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import InvalidCacheKey, caches

from cachecore import cache, status
from cachecore.backend import CacheBackend
from cachecore.location import Mode
from cachecore.memory import Memory
from cachecore.redis_store import RedisStore
from cachecore.trust import Trusted

CONFIGURED = str(settings.CACHES["default"]["LOCATION"])
NOWHERE = "redis://127.0.0.1:1/0"  # nobody listens there
PREFIX = "test-backend"
pytestmark = pytest.mark.django_db(transaction=True)  # Redis is trusted after the journal was read


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


def _never_ask_redis(backend: CacheBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    store = backend.store

    def of_memory(mode: Mode) -> RedisStore | Memory:
        assert not isinstance(mode, Trusted), "Redis was asked again"
        return store(mode)

    monkeypatch.setattr(backend, "store", of_memory)


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


def test_one_failure_is_paid_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    away = _backend(NOWHERE)
    away.set("a", 1)
    _never_ask_redis(away, monkeypatch)
    for _ in range(100):
        away.get("a")

    assert away.mode == "memory"
    assert [record.getMessage() for record in caplog.records] == ["the cache can't rely on Redis or its journal"]
    away.location.stop()


def test_a_redis_that_does_not_answer_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        away = _backend(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        away.set("a", 1)
        _never_ask_redis(away, monkeypatch)
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


def test_versions_go_up_and_down_with_their_value(store: CacheBackend) -> None:
    store.set("a", "kept")

    assert store.incr_version("a") == 2
    assert (store.get("a"), store.get("a", version=2)) == (None, "kept")
    assert store.decr_version("a", version=2) == 1
    assert store.get("a") == "kept"
    with pytest.raises(ValueError, match="not found"):
        store.incr_version("missing")


def test_touch_gives_a_value_more_time_or_all_of_it(store: CacheBackend) -> None:
    store.set("a", 1, timeout=1)
    store.set("b", 1, timeout=None)

    assert store.touch("a", None) is True
    assert store.touch("b", None) is True
    assert store.touch("missing", None) is False
    time.sleep(1.1)  # the time that "a" was set for
    assert store.get("a") == 1


def test_a_key_function_of_ones_own_names_the_keys() -> None:
    for location in (CONFIGURED, "", NOWHERE):
        made = _backend(location, KEY_FUNCTION=lambda key, prefix, version: f"{version}/{prefix}/{key}")
        made.set("a", 1)
        other = _backend(location)
        assert (made.get("a"), other.get("a")) == (1, None)
        assert made.make_key("a") == f"1/{PREFIX}/a"
        other.set("a", 2)
        made.clear()
        assert (made.get("a"), other.get("a")) == (None, 2)
        other.clear()
        made.location.stop()


def test_patterns_take_keys_of_one_version(store: CacheBackend) -> None:
    store.set_many({"x:1": 1, "x:2": 1, "y:1": 1})
    store.set("x:1", 1, version=2)

    assert store.clear_pattern("x:*") == 2
    assert store.get_many(["x:1", "x:2", "y:1"]) == {"y:1": 1}
    assert store.get("x:1", version=2) == 1


def test_memory_forgets_what_was_used_least_recently() -> None:
    made = CacheBackend("", {"KEY_PREFIX": PREFIX, "OPTIONS": {"MAX_ENTRIES": 3}})
    made.location.stop()
    made.location.params = {"OPTIONS": {"MAX_ENTRIES": 3}}
    for key in "abc":
        made.set(key, 1)
    made.get("a")
    made.set("d", 1)

    assert made.get_many("abcd").keys() == {"a", "c", "d"}
    made.location.params = {}
    made.location.stop()


@pytest.mark.parametrize("value", ["stranger's", b"\x81" + b"0" * 40, b"\x80\x04N."])
@pytest.mark.redis
def test_what_a_stranger_wrote_is_a_miss_and_counted(value: Any) -> None:
    store = _backend(CONFIGURED)
    store.set("a", "ours")
    mode = store.location.mode
    assert mode.memory is None
    mode.redis.set(f"{store.make_key('a')}@{mode.epoch}", value)
    before = status.of(store.location)["errors"]

    assert store.get("a") is None
    assert store.get_many(["a", "b"]) == {}
    assert status.of(store.location)["errors"] == before + 2
    store.clear()
