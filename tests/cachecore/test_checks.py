"""Settings that cost correctness or speed are told by `manage.py check`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.cache import caches
from django.test import override_settings

from cachecore import checks
from tests.servers import Valkey, free_port

BACKEND = "cachecore.backend.CacheBackend"


@pytest.fixture(autouse=True)
def _made_anew() -> Iterator[None]:
    """Aliases made from a test's CACHES are dropped with it."""
    yield
    for alias in ("default", "other"):
        with suppress(AttributeError):  # it was never used
            del caches[alias]


def told(check: Any, **aliases: dict[str, Any]) -> list[str]:
    with override_settings(CACHES={alias: {"BACKEND": BACKEND, **params} for alias, params in aliases.items()}):
        return [message.id for message in check()]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"LOCATION": "redis://a"}, []),
        ({"LOCATION": ""}, []),
        ({"LOCATION": ["redis://a", "redis://b"]}, ["cachecore.W002"]),
        ({"LOCATION": "redis://a", "OPTIONS": {"IGNORE_EXCEPTIONS": True}}, ["cachecore.W003"]),
        ({"LOCATION": "redis://a", "OPTIONS": {"SERIALIZER": "x.Y"}}, ["cachecore.W004"]),
        ({"LOCATION": "redis://a", "OPTIONS": {"SOCKET_TIMEOUT": 5}}, ["cachecore.W005"]),
        ({"LOCATION": "redis://a", "OPTIONS": {"CONNECTION_POOL_KWARGS": {"retry": None}}}, ["cachecore.W005"]),
    ],
)
def test_what_an_alias_says_is_judged(params: dict[str, Any], expected: list[str]) -> None:
    assert told(checks.check_aliases, default=params) == expected


def test_one_prefix_at_two_places_is_told() -> None:
    here, there = {"LOCATION": "redis://a", "KEY_PREFIX": "x"}, {"LOCATION": "redis://b", "KEY_PREFIX": "x"}

    assert told(checks.check_aliases, default=here, other=there) == ["cachecore.W001"]
    assert told(checks.check_aliases, default=here, other={**there, "KEY_PREFIX": "y"}) == []


@pytest.mark.parametrize("value", [-1, "soon", 10**9])
def test_a_setting_out_of_bounds_is_an_error(value: Any) -> None:
    with override_settings(CACHE_FALLBACK_STALENESS=value):
        assert [message.id for message in checks.check_settings()] == ["cachecore.E001"]


def test_a_redis_that_is_not_there_is_told() -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"

    assert told(checks.check_redis, default={"LOCATION": nowhere}) == ["cachecore.W006"]
    assert told(checks.check_redis, default={"LOCATION": ""}) == []


@pytest.mark.redis
def test_a_redis_that_will_refuse_writes_once_full_is_told() -> None:
    with Valkey("--maxmemory", "100mb", "--maxmemory-policy", "noeviction") as server:
        assert told(checks.check_redis, default={"LOCATION": server.url}) == ["cachecore.W007"]
        server.redis.config_set("maxmemory-policy", "allkeys-lru")
        assert told(checks.check_redis, default={"LOCATION": server.url}) == []
