"""`--health-port`: a worker's own answers to the platform's probes, from memory."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from events.conf import conf
from events.worker.condition import Condition, condition

if TYPE_CHECKING:
    from events.worker.runner import Runner

LONGEST_REQUEST = 8192  # bytes
PATIENCE = 5.0  # seconds for a client to send its request
LIVE = (b"/health", b"/livez")
READY = (b"/health/ready", b"/readyz")


class Probe:
    """Liveness is 200 while the process runs; readiness is 503 unless it can apply events."""

    def __init__(self, runner: Runner, port: int) -> None:
        self.runner = runner
        self.port = port
        self.started = time.monotonic()

    async def open(self) -> None:
        """Answer from now on. Raises OSError where the port is taken."""
        self.server = await asyncio.start_server(self._answer, "0.0.0.0", self.port, limit=LONGEST_REQUEST)  # noqa: S104 - a probe comes from outside

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            status, told = self._respond(request)
            body = json.dumps(told).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            head += "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + (b"" if request.startswith(b"HEAD ") else body))
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or is none
        finally:
            writer.close()

    def _respond(self, request: bytes) -> tuple[str, dict[str, Any]]:
        """The status line's end and the body."""
        method, _, rest = request.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        path = path.rstrip(b"/")
        if method not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", {"status": "only GET and HEAD"}
        if path in LIVE:
            return "200 OK", self._told()
        if path in READY:
            told = self._told()
            return ("200 OK" if told["status"] == Condition.WORKING else "503 Service Unavailable"), told
        return "404 Not Found", {"status": "only /health and /health/ready"}

    def _told(self) -> dict[str, Any]:
        runner, membership = self.runner, self.runner.membership
        now = condition(
            draining=runner.stopping,
            joined=membership.joined,
            silence=membership.silence,
            idle=min(time.monotonic() - runner.work.progressed, membership.unbroken),
            patience=conf.batch_timeout,
        )
        return {
            "status": now,
            "uptime_seconds": round(time.monotonic() - self.started, 1),
            "steps_running": runner.schedule.running,
            "processed": runner.work.processed,
        }
