"""The process in which caches are measured side by side; the last line that it prints is the figures."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import django

from benchmarks.cache_peers import Cashews, Peer, blocks

SMALL = {"did": "did:plc:z72i7hdynmk6r22z27h6tvur", "strength": 0.75}
LARGE = "x" * 10_000
MANY = 20  # keys of one get_many
BLOCK = 200  # calls of one contestant before it is the next one's turn
THREADS, HUNG_CALLS = 8, 1_000
TIMEOUT = 100.0  # milliseconds, CACHE_TIMEOUT's default


def calls(number: int) -> dict[str, dict[str, float]]:
    """Microseconds a call of each contestant, by what is called."""
    from django.conf import settings
    from django.core.cache import caches

    peers: dict[str, Peer | Cashews] = {
        "rhiz": Peer(caches["default"]),
        "django-redis": Peer(caches["django-redis"]),
        "RedisCache": Peer(caches["RedisCache"]),
        "cashews": Cashews(settings.CASHEWS_URL),  # type: ignore[misc]  # benchmarks.cache_settings has it
    }
    keys = [f"rel:{n}" for n in range(MANY)]
    figures = {}
    for size, value in (("small", SMALL), ("10 kB", LARGE)):
        for peer in peers.values():
            peer.set_many(dict.fromkeys(keys, value))
        for name in ("get", "set", "get_many"):
            runs = {who: peer.call(name, keys, value) for who, peer in peers.items()}
            figures[f"{name}, {size}"] = blocks(runs, number, BLOCK if name != "get_many" else BLOCK // 10)
    figures["get under a tag, small"] = blocks(
        {"rhiz": _tagged(), "django-redis": peers["django-redis"].call("get", keys, SMALL)}, number, BLOCK
    )
    return figures


def _tagged() -> Any:
    from cachecore import cache

    def run(count: int) -> None:
        for _ in range(count):
            cache.get_or_set("tagged:1", lambda: SMALL, tags=["did:plc:z72i7hdynmk6r22z27h6tvur"])

    return run


def breaker_open(number: int) -> dict[str, dict[str, float]]:
    """Microseconds a call while Redis is away, against Django's local memory."""
    from django.core.cache import caches

    peers = {"rhiz": Peer(caches["away"]), "LocMemCache": Peer(caches["LocMemCache"])}
    for peer in peers.values():
        peer.set_many({"rel:0": SMALL})
    return {
        name: blocks({who: peer.call(name, ["rel:0"], SMALL) for who, peer in peers.items()}, number * 5, BLOCK * 5)
        for name in ("get", "set")
    }


def hung() -> dict[str, float]:
    """Wall time of calls from several threads when Redis stops to answer, and of the same calls on local memory."""
    from django.core.cache import caches

    from cachecore import status

    caches["hung"].set("rel:0", SMALL)
    assert status.read("hung")["mode"] == "redis"
    print("hang", flush=True)
    sys.stdin.readline()
    return {
        "calls": HUNG_CALLS,
        "ms": _wall("hung"),
        "ms in local memory": _wall("LocMemCache"),
        "timeout ms": TIMEOUT,
    }


def _wall(alias: str) -> float:
    from django.core.cache import caches

    ready = threading.Barrier(THREADS + 1)

    def run() -> None:
        cache = caches[alias]
        ready.wait()
        for _ in range(HUNG_CALLS // THREADS):
            cache.get("rel:0")

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return round((time.perf_counter() - start) * 1e3, 2)


def main() -> None:
    django.setup()

    from benchmarks.cache_invalidation import invalidation

    number, sizes = int(sys.argv[1]), [int(size) for size in sys.argv[2:]]
    figures: dict[str, Any] = {"calls": calls(number), "breaker open": breaker_open(number), "hung": hung()}
    figures["invalidation"] = {str(size): invalidation(size) for size in sizes}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
