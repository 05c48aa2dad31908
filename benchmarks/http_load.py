"""A process that posts events over connections that are kept, each sending as soon as it was answered.

    python -m benchmarks.http_load URL CONNECTIONS SECONDS BATCH COUNT

COUNT different events are made beforehand and sent in requests of BATCH, again from the start when they are used up.
Prints a line of JSON: `requests` and `latencies` (of `figures.latencies`) of the SECONDS after a warm-up, and
`answered`, the requests answered 202 or 200 since the start, warm-up included.

The protocol is written by hand on uvloop: a client library would take longer than the servers that are measured.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

from benchmarks import workload
from benchmarks.figures import latencies
from benchmarks.ours import KEY

WARM_UP = 1.5  # seconds that do not count
END_OF_HEAD = b"\r\n\r\n"


class Load:
    """What all connections share: the requests, and what came of them."""

    def __init__(self, requests: Iterator[bytes], seconds: float) -> None:
        self.requests = requests
        self.begins = time.perf_counter() + WARM_UP
        self.ends = self.begins + seconds
        self.seconds: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.open = 0
        self.finished = asyncio.Event()

    def told(self) -> dict[str, Any]:
        """The line that is printed."""
        refused = {status: n for status, n in self.statuses.items() if status not in (200, 202)}
        answered = self.statuses[200] + self.statuses[202]
        return {
            "requests": len(self.seconds),
            "latencies": latencies(self.seconds),
            "answered": answered,
            "refused": refused,
        }


class Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is one in all but name
        self._load.open += 1
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(END_OF_HEAD)
        if not found or len(body) < _length(head):
            return
        self._received = b""
        now, load = time.perf_counter(), self._load
        load.statuses[int(head[9:12])] += 1
        if load.begins <= now < load.ends:
            load.seconds.append(now - self._sent_at)
        if now < load.ends:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.open -= 1
        if not self._load.open:
            self._load.finished.set()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._load.requests))


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    return int(lower[start:].split(b"\r\n", 1)[0])


def requests(path: str, batch: int, count: int) -> Iterator[bytes]:
    """The bytes of requests, for ever: `count` events in all, `batch` of them in each."""
    lines = list(workload.lines(count))
    made = []
    for start in range(0, count, batch):
        body = lines[start] if batch == 1 else b"[" + b",".join(lines[start : start + batch]) + b"]"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Internal-Key: {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return itertools.cycle(made)


async def post(url: str, connections: int, seconds: float, batch: int, count: int) -> dict[str, Any]:
    """Let `connections` send for `seconds` after the warm-up."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    made = requests(parts.path, batch, count)
    load = Load(made, seconds)  # its clock starts now, when everything is made
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), host, port)
    await asyncio.wait_for(load.finished.wait(), WARM_UP + seconds + 60)
    return load.told()


def main() -> None:
    url, connections, seconds, batch, count = sys.argv[1:6]
    told = uvloop.run(post(url, int(connections), float(seconds), int(batch), int(count)))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
