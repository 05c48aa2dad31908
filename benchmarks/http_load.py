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
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import uvloop

from benchmarks import workload
from benchmarks.figures import latencies
from benchmarks.ours import KEY

WARM_UP = 1.5  # seconds that do not count
END_OF_HEAD = b"\r\n\r\n"


class Load(Protocol):
    """What all connections share: it decides what they send, and when."""

    def ready(self, connection: Connection) -> None:
        """A connection was opened, or was answered, and may send."""

    def answered(self, status: int, connection: Connection) -> None:
        """A request was answered."""

    def closed(self) -> None:
        """A connection has ended."""


class Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is one in all but name
        self._load.ready(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(END_OF_HEAD)
        if not found or len(body) < _length(head):
            return
        self._received = b""
        self._load.answered(int(head[9:12]), self)
        self._load.ready(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._load.closed()

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()


class ClosedLoop:
    """Each connection sends as soon as it was answered, until the time is over."""

    def __init__(self, requests: Iterator[bytes], connections: int, seconds: float) -> None:
        self.requests = requests
        self.begins = time.perf_counter() + WARM_UP
        self.ends = self.begins + seconds
        self.seconds: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.open = connections
        self.finished = asyncio.Event()

    def ready(self, connection: Connection) -> None:
        if time.perf_counter() < self.ends:
            connection.send(next(self.requests))
        else:
            connection.close()

    def answered(self, status: int, connection: Connection) -> None:
        now = time.perf_counter()
        self.statuses[status] += 1
        if self.begins <= now < self.ends:
            self.seconds.append(now - connection.sent_at)

    def closed(self) -> None:
        self.open -= 1
        if not self.open:
            self.finished.set()

    def report(self) -> dict[str, Any]:
        """The line that is printed."""
        return {
            "requests": len(self.seconds),
            "latencies": latencies(self.seconds),
            **counted(self.statuses),
        }


def counted(statuses: Counter[int]) -> dict[str, Any]:
    """How many requests were accepted, and how many were answered with another status."""
    refused = {status: n for status, n in statuses.items() if status not in (200, 202)}
    return {"answered": statuses[200] + statuses[202], "refused": refused}


def encoded(path: str, bodies: Iterable[bytes]) -> list[bytes]:
    """The bytes of one request for each body."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Internal-Key: {KEY}\r\nContent-Type: application/json\r\n"
    return [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    return int(lower[start:].split(b"\r\n", 1)[0])


def _requests(path: str, batch: int, count: int) -> list[bytes]:
    """Requests of `count` events in all, `batch` of them in each."""
    lines = list(workload.lines(count))
    if batch == 1:
        return encoded(path, lines)
    parts = (lines[start : start + batch] for start in range(0, count, batch))
    return encoded(path, (b"[" + b",".join(part) + b"]" for part in parts))


async def post(url: str, connections: int, seconds: float, batch: int, count: int) -> dict[str, Any]:
    """Let `connections` send for `seconds` after the warm-up."""
    parts = urlsplit(url)
    made = itertools.cycle(_requests(parts.path, batch, count))
    load = ClosedLoop(made, connections, seconds)  # its clock starts now, when everything is made
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), str(parts.hostname), int(parts.port or 80))
    await asyncio.wait_for(load.finished.wait(), WARM_UP + seconds + 60)
    return load.report()


def main() -> None:
    url, connections, seconds, batch, count = sys.argv[1:6]
    found = uvloop.run(post(url, int(connections), float(seconds), int(batch), int(count)))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
