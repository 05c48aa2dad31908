"""Whether Redis answers, asked beside everyone's trust."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import caches
from django.test import override_settings

from cachecore import reach
from tests.integration.conftest import eventually
from tests.proxy import Mode, Proxy
from tests.servers import Valkey

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Between the alias `far` and a Redis of its own."""
    with Valkey() as server, Proxy(server.port) as between:
        far = {"BACKEND": "cachecore.backend.CacheBackend", "LOCATION": between.redis_url}
        with override_settings(CACHES={"default": {**far, "LOCATION": ""}, "far": far}):
            yield between
            caches["far"].location.stop()  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.HANG])
def test_it_tells_who_does_not_answer(proxy: Proxy, mode: Mode) -> None:
    assert reach.answers("far")
    proxy.set(mode)
    assert not reach.answers("far")
    proxy.set(Mode.PASS)
    assert reach.answers("far")


def test_memory_alone_is_always_there() -> None:
    with override_settings(CACHES={"default": {"BACKEND": "cachecore.backend.CacheBackend", "LOCATION": ""}}):
        assert reach.answers()


def test_a_redis_that_answers_again_is_trusted_without_the_breakers_pause(proxy: Proxy) -> None:
    far = caches["far"]
    eventually(lambda: far.mode == "redis")  # type: ignore[attr-defined]
    proxy.set(Mode.REFUSE)
    eventually(lambda: far.mode == "memory")  # type: ignore[attr-defined]
    far.location.breaker._probes = 10  # type: ignore[attr-defined]  # as after a long outage: the next pause is 10 s
    eventually(lambda: far.location.breaker.state == "open")  # type: ignore[attr-defined]
    proxy.set(Mode.PASS)

    eventually(lambda: reach.answers("far") and far.mode == "redis", within=8)  # type: ignore[attr-defined]
