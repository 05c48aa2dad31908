"""A process that posts single events at a held rate over connections that are kept, whatever the answers take.

    python -m benchmarks.held_load URL CONNECTIONS RATE SECONDS FILE

Every request is encoded beforehand. Every millisecond those that are due are handed to idle connections; what finds
none waits, and its time counts from then. Writes a line of `event_id seconds-since-1970` to FILE for each event, and
prints a line of JSON: what was answered, the rate, how many events found no idle connection, and by how much the
generator itself was late (ms, p99).
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks import workload
from benchmarks.figures import percentile
from benchmarks.http_load import Connection, counted, encoded

TICK = 0.001  # seconds
SEED = 4


class HeldRate:
    """Hands requests to idle connections as they become due."""

    def __init__(self, requests: list[bytes], rate: float) -> None:
        self.requests = requests
        self.rate = rate
        self.idle: deque[Connection] = deque()  # used in turn: the server closes connections that idle for long
        self.waiting: deque[bytes] = deque()
        self.sent: list[float] = []  # when each was handed over, in seconds since 1970
        self.late: list[float] = []
        self.waited = 0
        self.statuses: Counter[int] = Counter()
        self.finished = asyncio.Event()

    def ready(self, connection: Connection) -> None:
        if self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.idle.append(connection)

    def answered(self, status: int, connection: Connection) -> None:
        self.statuses[status] += 1
        if self.statuses.total() == len(self.requests):
            self.finished.set()

    def closed(self) -> None:
        self.finished.set()

    async def send(self) -> None:
        """Send all requests; return when the last was handed over."""
        start = time.time()
        while len(self.sent) < len(self.requests):
            now = time.time()
            due = min(len(self.requests), int((now - start) * self.rate))
            for number in range(len(self.sent), due):
                self.sent.append(now)
                self.late.append(now - start - number / self.rate)
                if self.idle:
                    self.idle.popleft().send(self.requests[number])
                else:
                    self.waited += 1
                    self.waiting.append(self.requests[number])
            await asyncio.sleep(TICK)


async def post(url: str, connections: int, rate: float, seconds: float, file: str) -> dict[str, Any]:
    """Send at `rate` events a second for `seconds`, and wait for all answers."""
    parts = urlsplit(url)
    lines = list(workload.lines(int(rate * seconds), seed=SEED))
    load = HeldRate(encoded(parts.path, lines), rate)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), str(parts.hostname), int(parts.port or 80))
    gc.disable()  # a collection looks at every request and stops the clock for tens of milliseconds
    await load.send()
    await asyncio.wait_for(load.finished.wait(), 60)
    ended = time.time()
    ids = (json.loads(line)["event_id"] for line in lines)
    Path(file).write_text("".join(f"{id_} {at:.6f}\n" for id_, at in zip(ids, load.sent, strict=True)))
    return {
        **counted(load.statuses),
        "rate": round(load.statuses.total() / (ended - load.sent[0])),
        "found no idle connection": load.waited,
        "generator late ms": round(percentile(load.late, 0.99) * 1e3, 2),
    }


def main() -> None:
    url, connections, rate, seconds, file = sys.argv[1:6]
    print(json.dumps(uvloop.run(post(url, int(connections), float(rate), float(seconds), file))))


if __name__ == "__main__":
    main()
