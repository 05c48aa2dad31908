"""Redis is trusted only while it is the server it was, and after it got all that it missed."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import override_settings

from cachecore import journal, location, status
from cachecore.backend import CacheBackend
from cachecore.invalidation import invalidate
from cachecore.keeper import Keeper
from cachecore.loading import Reading
from cachecore.models import Invalidation
from cachecore.tags import digests
from cachecore.trust import Trusted
from tests.integration.conftest import eventually
from tests.proxy import Mode, Proxy
from tests.servers import Valkey

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]
PREFIX = "test-trust"


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey("--maxmemory-policy", "noeviction") as started:
        yield started


@pytest.fixture
def proxy(server: Valkey) -> Iterator[Proxy]:
    server.redis.flushall()
    server.redis.config_set("maxmemory", 0)
    with Proxy(server.port) as between:
        yield between


@pytest.fixture
def cache(proxy: Proxy) -> Iterator[Tagging]:
    with override_settings(CACHE_FALLBACK_STALENESS=0):
        made = Tagging(proxy.redis_url)
        assert made.mode == "redis"
        yield made
        made.location.stop()


class Tagging(CacheBackend):
    """A cache of its own on a Redis of the test's, with the verbs of `cachecore.Cache`."""

    def __init__(self, url: str, **params: Any) -> None:
        super().__init__(url, {"KEY_PREFIX": PREFIX, "TIMEOUT": 60, **params})

    def load(self, key: str, loader: Callable[[], Any], *tags: str) -> Any:
        return Reading(self, key, loader, ttl=60, tagged=tags, stale_for=0).value()

    def invalidate(self, *tags: str) -> None:
        invalidate(self.location, self.space, tags)


def until_trusted(cache: CacheBackend) -> None:
    eventually(lambda: cache.mode == "redis", within=15, what="Redis is trusted again")


def outage(cache: CacheBackend, proxy: Proxy) -> None:
    proxy.set(Mode.REFUSE)
    cache.get("notice")
    assert cache.mode == "memory"


def test_a_redis_that_was_restarted_empty_is_another_epoch(cache: Tagging, server: Valkey) -> None:
    cache.set("a", 1)
    server.forget_dump()
    server.restart()

    assert cache.get("a") is None
    until_trusted(cache)
    assert cache.get("a") is None


def test_a_redis_that_loaded_an_old_dump_brings_no_old_value_back(cache: Tagging, server: Valkey) -> None:
    cache.set("plain", 1)
    cache.load("tagged", lambda: "old", "t")
    server.save()
    cache.set("plain", 2)
    cache.invalidate("t")
    server.restart()
    server.forget_dump()

    assert server.redis.dbsize() >= 3  # the old values are there
    assert cache.get("plain") is None
    assert cache.load("tagged", lambda: "new", "t") == "new"
    until_trusted(cache)
    assert cache.get("plain") is None
    assert cache.load("tagged", lambda: "newer", "t") == "newer"


def test_a_flushed_redis_is_an_empty_cache(cache: Tagging, server: Valkey) -> None:
    cache.load("tagged", lambda: "old", "t")
    server.redis.flushall()

    assert cache.load("tagged", lambda: "new", "t") == "new"


def test_a_master_that_became_a_replica_is_not_asked_any_more(cache: Tagging, server: Valkey) -> None:
    cache.set("a", 1)
    server.redis.replicaof("127.0.0.1", 1)
    try:
        eventually(lambda: cache.mode == "memory")
        assert cache.get("a") is None
    finally:
        server.redis.replicaof("NO", "ONE")
    until_trusted(cache)


@pytest.mark.parametrize("how", ["delete", "set", "delete_many", "touch"])
def test_what_was_written_during_an_outage_is_forgotten_by_redis(cache: Tagging, proxy: Proxy, how: str) -> None:
    cache.set("session", "logged in")
    outage(cache, proxy)
    writes: dict[str, Callable[[], Any]] = {
        "delete": lambda: cache.delete("session"),
        "set": lambda: cache.set("session", "another"),
        "delete_many": lambda: cache.delete_many(["session"]),
        "touch": lambda: cache.touch("session", 1),
    }
    writes[how]()
    proxy.set(Mode.PASS)
    until_trusted(cache)

    assert cache.get("session") is None


@pytest.mark.parametrize("how", ["clear", "clear_pattern", "too many"])
def test_what_can_not_be_remembered_key_by_key_makes_a_new_epoch(
    cache: Tagging, proxy: Proxy, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("session", "logged in")
    outage(cache, proxy)
    if how == "clear":
        cache.clear()
    elif how == "clear_pattern":
        cache.clear_pattern("sess*")
    else:
        monkeypatch.setattr(location, "REMEMBERED", 2)
        cache.delete_many(["session", "b", "c"])
    proxy.set(Mode.PASS)
    until_trusted(cache)

    assert cache.get("session") is None


def test_what_nobody_touched_during_an_outage_is_still_there_after_it(cache: Tagging, proxy: Proxy) -> None:
    cache.set("kept", 1)
    cache.load("tagged", lambda: "kept", "t")
    outage(cache, proxy)
    assert cache.get("kept") is None
    proxy.set(Mode.PASS)
    until_trusted(cache)

    assert cache.get("kept") == 1
    assert cache.load("tagged", lambda: "loaded again", "t") == "kept"


def test_what_memory_held_during_an_outage_is_gone_after_it(cache: Tagging, proxy: Proxy) -> None:
    outage(cache, proxy)
    cache.set("a", "memory's")
    assert cache.get("a") == "memory's"
    proxy.set(Mode.PASS)
    until_trusted(cache)

    assert cache.get("a") is None


def test_an_invalidation_during_an_outage_is_performed_before_redis_is_trusted(cache: Tagging, proxy: Proxy) -> None:
    cache.load("a", lambda: "old", "t")
    outage(cache, proxy)
    cache.invalidate("t")
    proxy.set(Mode.PASS)
    until_trusted(cache)

    assert cache.load("a", lambda: "new", "t") == "new"
    assert Invalidation.objects.get().performed_at is not None


def test_an_invalidation_while_redis_hangs_is_not_lost(cache: Tagging, proxy: Proxy) -> None:
    cache.load("a", lambda: "old", "t")
    proxy.set(Mode.HANG)
    cache.invalidate("t")

    assert cache.mode == "memory"
    assert cache.load("a", lambda: "new", "t") == "new"
    proxy.set(Mode.PASS)
    until_trusted(cache)
    assert cache.load("a", lambda: "newer", "t") == "newer"


def test_what_another_process_could_not_perform_is_performed_within_two_seconds(cache: Tagging) -> None:
    cache.load("a", lambda: "old", "t")
    journal.write(connection, PREFIX, digests(["t"]))  # and there it died

    eventually(lambda: cache.get("a") is None)
    eventually(lambda: Invalidation.objects.get().performed_at)


def test_a_process_without_redis_learns_from_the_journal(cache: Tagging, proxy: Proxy) -> None:
    outage(cache, proxy)
    assert cache.load("a", lambda: "old", "t") == "old"
    assert cache.load("a", lambda: "not asked for", "t") == "old"
    journal.write(connection, PREFIX, digests(["t"]))

    assert cache.get("a") is None
    assert cache.load("a", lambda: "new", "t") == "new"


def test_a_process_without_redis_may_be_late_by_the_staleness_that_is_allowed(proxy: Proxy) -> None:
    with override_settings(CACHE_FALLBACK_STALENESS=0.3):
        cache = Tagging(proxy.redis_url)
        outage(cache, proxy)
        cache.load("a", lambda: "old", "t")
        journal.write(connection, PREFIX, digests(["t"]))

        eventually(lambda: cache.load("a", lambda: "new", "t") == "new")
        cache.location.stop()


def test_without_redis_and_without_the_journal_nothing_tagged_is_told(
    cache: Tagging, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage(cache, proxy)
    cache.load("a", lambda: "old", "t")

    def fail(*_: Any) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(journal, "follow", fail)
    assert cache.load("a", lambda: "new", "t") == "new"
    assert cache.get("a") is None


def test_keys_that_were_given_up_elsewhere_are_given_up_here(cache: Tagging) -> None:
    cache.set("a", 1)
    journal.rotate(connection, PREFIX)

    eventually(lambda: cache.get("a") is None)
    until_trusted(cache)
    assert cache.get("a") is None


def test_a_full_redis_counts_as_an_outage_and_still_forgets_stamps(cache: Tagging, server: Valkey) -> None:
    cache.load("a", lambda: "old", "t")
    server.redis.config_set("maxmemory", 1)
    cache.invalidate("t")
    assert Invalidation.objects.filter(performed_at=None).count() == 1
    assert cache.mode == "redis"

    cache.set("b", 1)
    assert cache.mode == "memory"
    assert cache.get("b") == 1


def test_each_thread_waits_for_a_hanging_redis_once(
    cache: Tagging, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[object] = []
    lose = cache.location.lose

    def count(mode: Any, error: object) -> None:
        failures.append(error)
        lose(mode, error)

    monkeypatch.setattr(cache.location, "lose", count)
    proxy.set(Mode.HANG)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: cache.get(f"key{number}"), range(1_000)))

    assert 1 <= len(failures) <= 9  # the keeper is one of them
    assert cache.mode == "memory"


def test_a_command_that_fits_no_value_is_the_programs_mistake(cache: Tagging, server: Valkey) -> None:
    assert isinstance(cache.location.mode, Trusted)
    made = f"{cache.make_key('list')}@{cache.location.mode.epoch}"
    server.redis.lpush(made, 1)

    with pytest.raises(Exception, match="WRONGTYPE"):
        cache.get("list")
    assert cache.mode == "redis"


def test_a_prefix_that_comes_late_gets_its_past_invalidations_first(cache: Tagging, proxy: Proxy) -> None:
    late = Tagging(proxy.redis_url, KEY_PREFIX="test-late")
    late.load("a", lambda: "old", "t")
    late.location.stop()
    late.location.spaces = {PREFIX}
    assert cache.mode == "redis"
    journal.write(connection, "test-late", digests(["t"]))

    assert Tagging(proxy.redis_url, KEY_PREFIX="test-late").load("a", lambda: "new", "t") == "new"


def test_a_unix_socket_serves_as_well() -> None:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "redis.sock"
        with Valkey("--unixsocket", str(path)):
            cache = Tagging(f"unix://{path}?db=0")
            cache.load("a", lambda: 1, "t")
            assert (cache.mode, cache.get("a")) == ("redis", 1)
            cache.location.stop()


def test_a_child_process_comes_to_trust_by_itself(cache: Tagging) -> None:
    cache.set("a", 1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str((cache.mode, cache.get("a"))).encode())
        finally:
            os._exit(0)
    os.close(write)
    answer = os.read(read, 100).decode()
    os.waitpid(child, 0)

    assert answer == "('redis', 1)"
    assert cache.get("a") == 1


def test_a_stopped_server_costs_a_timeout_and_is_trusted_again_when_it_goes_on(cache: Tagging, server: Valkey) -> None:
    cache.set("a", 1)
    server.signal(signal.SIGSTOP)
    try:
        assert cache.get("a") is None
        assert cache.mode == "memory"
    finally:
        server.signal(signal.SIGCONT)
    until_trusted(cache)
    assert cache.get("a") == 1


def test_what_a_short_process_counted_and_performed_is_handed_in_at_its_end(cache: Tagging) -> None:
    cache.invalidate("t")
    cache.get("a")
    cache.location.stop()

    assert Invalidation.objects.get().performed_at is not None
    assert cache.mode == "redis"
    eventually(lambda: status.of(cache.location)["misses"] == 1)


def test_what_is_owed_outlives_a_close(cache: Tagging, proxy: Proxy) -> None:
    cache.set("session", "logged in")
    outage(cache, proxy)
    cache.delete("session")
    cache.location.stop()
    proxy.set(Mode.PASS)
    until_trusted(cache)

    assert cache.get("session") is None


def test_a_process_whose_keeper_can_not_read_the_journal_tells_nothing_tagged(
    cache: Tagging, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("plain", 1)
    cache.load("a", lambda: "old", "t")

    def fail(_: Any) -> None:
        raise DatabaseError("too many clients")

    monkeypatch.setattr(Keeper, "_database", fail)
    journal.write(connection, PREFIX, digests(["t"]))  # by a process that can't reach Redis

    eventually(lambda: cache.load("a", lambda: "new", "t") == "new")
    assert cache.get("a") is None
    assert cache.get("plain") == 1


def test_a_redis_that_refuses_to_invalidate_is_not_trusted(cache: Tagging, server: Valkey) -> None:
    cache.load("a", lambda: "old", "t")
    server.redis.execute_command("ACL", "SETUSER", "default", "-unlink")
    try:
        cache.invalidate("t")
        assert cache.mode == "memory"
        assert cache.load("a", lambda: "new", "t") == "new"
    finally:
        server.redis.execute_command("ACL", "SETUSER", "default", "+unlink")


@pytest.mark.parametrize("location", ["redis", "memory"])
def test_clear_clears_whatever_a_key_function_makes_of_the_prefix(proxy: Proxy, location: str) -> None:
    def hashed(key: str, prefix: str, version: int) -> str:
        return hashlib.sha256(f"{prefix}:{version}:{key}".encode()).hexdigest()

    made = Tagging(proxy.redis_url if location == "redis" else "", KEY_FUNCTION=hashed)
    made.set("a", 1)
    assert made.get("a") == 1
    made.clear()

    assert made.get("a") is None
    made.location.stop()
