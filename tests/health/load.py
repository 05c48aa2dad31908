"""Posts events without end, whatever the answers: `python -m tests.health.load URL KEY`.

A process of its own, so that what it computes delays nobody's clock.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress

import httpx

CLIENTS = 4
BATCH = 20  # events a request
PAUSE = 0.05  # seconds between an answer and the next request of a client
PATIENCE = 10.0  # seconds that a client waits for an answer


async def _post(client: httpx.AsyncClient, number: int) -> None:
    lines = [
        json.dumps({"event_type": "test.record", "did": f"did:plc:{number}-{n}", "payload": {"n": n}})
        for n in range(BATCH)
    ]
    while True:
        with suppress(httpx.HTTPError):
            headers = {"Content-Type": "application/x-ndjson"}
            await client.post("/internal/events", content="\n".join(lines), headers=headers)
        await asyncio.sleep(PAUSE)


async def main(url: str, key: str) -> None:
    async with httpx.AsyncClient(base_url=url, headers={"X-Internal-Key": key}, timeout=PATIENCE) as client:
        await asyncio.gather(*(_post(client, number) for number in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
