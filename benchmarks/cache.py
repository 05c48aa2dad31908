"""The cache: calls, an open breaker, a Redis that hangs, and what it takes to invalidate among many keys.

A Valkey of its own; the measuring process is another than this one, which keeps the proxy that lets Redis hang.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from benchmarks.processes import PYTHON, ROOT, BenchmarkError, environment, output_of
from benchmarks.scale import Scale
from benchmarks.server import Server
from tests.proxy import Mode, Proxy
from tests.servers import Valkey

HANG = "hang"  # the line by which the measuring process asks for it


def measure(server: Server, scale: Scale) -> dict[str, Any]:
    """Microseconds a call, milliseconds an invalidation."""
    with Valkey() as valkey, Proxy(valkey.port) as proxy:
        environ = environment(
            DJANGO_SETTINGS_MODULE="benchmarks.cache_settings",
            DEBUG="1",
            LOG_LEVEL="CRITICAL",
            DATABASE_URL=server.database("bench_cache"),
            REDIS_URL=valkey.url,
            HUNG_URL=proxy.redis_url,
        )
        output_of([PYTHON, "manage.py", "migrate", "--verbosity", "0"], environ)
        command = [PYTHON, "-m", "benchmarks.cache_contest", str(scale.cache_calls), *map(str, scale.cache_keys)]
        with subprocess.Popen(
            command, env=environ, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as contest:
            figures = _listen(contest, proxy)
    server.drop("bench_cache")
    return figures


def _listen(contest: subprocess.Popen[str], proxy: Proxy) -> dict[str, Any]:
    """Show what it is at, let Redis hang when it says so, and return what it found."""
    assert contest.stdin
    assert contest.stdout
    for line in contest.stdout:
        if line.startswith("{"):
            figures: dict[str, Any] = json.loads(line)
            return figures
        if line.strip() == HANG:
            proxy.set(Mode.HANG)
            print("go on", file=contest.stdin, flush=True)
        else:
            print(f"  {line.rstrip()}", flush=True)
    raise BenchmarkError("the cache's measurements did not come to an end")
