"""`--health-port`: a worker's own answer to the platform's probe, from memory."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from events.worker.runner import Runner

LONGEST_REQUEST = 8192  # bytes
PATIENCE = 5.0  # seconds for a client to send its request


class Probe:
    """Answers every GET with the worker's state: 200 while it works, 503 while its database is away."""

    def __init__(self, runner: Runner, port: int) -> None:
        self.runner = runner
        self.port = port
        self.started = time.monotonic()

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._answer, "0.0.0.0", self.port, limit=LONGEST_REQUEST)  # noqa: S104 - a probe comes from outside

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            status, body = self._state()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or is none
        finally:
            writer.close()

    def _state(self) -> tuple[str, bytes]:
        away = self.runner.outage.since
        state = {
            "status": "ok" if away is None else "database away",
            "uptime_seconds": round(time.monotonic() - self.started, 1),
            "steps_running": self.runner.running,
            "processed": self.runner.work.figures()["processed"],
        }
        return ("200 OK" if away is None else "503 Service Unavailable"), json.dumps(state).encode()
