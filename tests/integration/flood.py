"""A client that posts batches at a rate, answered or not: `python -m tests.integration.flood URL KEY SECONDS`.

Prints a line of JSON: for each answer when it came, in seconds since the start, its status, how many of its events
were enqueued, and how long it took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import httpx

BATCH = 200  # events a request
RATE = 10.0  # requests a second
WORK = 0.005  # seconds that the processor takes for an event


def batch(number: int) -> bytes:
    """Events that each take the processor `WORK` seconds."""
    payload = {"do": "sleep", "seconds": WORK}
    events = [
        {"event_type": "test.record", "did": f"did:plc:{number}-{n}", "payload": payload, "priority": 1}
        for n in range(BATCH)
    ]
    return json.dumps(events).encode()


async def post(client: httpx.AsyncClient, number: int, began: float) -> list[Any]:
    """One request; status 0 if it was not answered."""
    body, start = batch(number), time.perf_counter()
    try:
        answer = await client.post("/internal/events", content=body, headers={"Content-Type": "application/json"})
    except httpx.HTTPError:
        return [round(start - began, 3), 0, 0, time.perf_counter() - start]
    took = time.perf_counter() - start
    enqueued = answer.json().get("enqueued", 0) if answer.status_code in (202, 207) else 0
    return [round(start - began, 3), answer.status_code, enqueued, round(took, 4)]


async def main(url: str, key: str, seconds: float) -> None:
    """Post what is due, whatever became of what was posted before."""
    requests: set[asyncio.Task[list[Any]]] = set()
    async with httpx.AsyncClient(
        base_url=url, headers={"X-Internal-Key": key}, timeout=60, trust_env=False, limits=httpx.Limits()
    ) as client:
        began = time.perf_counter()
        for number in range(int(seconds * RATE)):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            requests.add(asyncio.create_task(post(client, number, began)))
        print(json.dumps(await asyncio.gather(*requests)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
