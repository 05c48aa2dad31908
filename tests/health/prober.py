"""Asks one address again and again: `python -m tests.health.prober HOST:PORT PATH COUNT`.

Prints JSON: the seconds each answer took, and the set of status codes. A process of its own, so that only the
server's time is measured and not what else the test does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from http.client import HTTPConnection
from statistics import quantiles
from typing import NamedTuple

PACE = 0.002  # seconds between an answer and the next question


class Probed(NamedTuple):
    """What a series of questions showed. Times are in seconds."""

    p50: float
    p99: float
    statuses: set[int]


def probe(address: str, path: str, count: int) -> Probed:
    """Ask from another process. Raises CalledProcessError if it is not answered at all."""
    command = [sys.executable, "-m", "tests.health.prober", address, path, str(count)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout)
    percentiles = quantiles(told["seconds"], n=100)
    return Probed(percentiles[49], percentiles[98], set(told["statuses"]))


def main(address: str, path: str, count: int) -> None:
    connection = HTTPConnection(address, timeout=10)
    seconds, statuses = [], set()
    for _ in range(count):
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - began)
        statuses.add(answer.status)
        time.sleep(PACE)
    print(json.dumps({"seconds": seconds, "statuses": sorted(statuses)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
