"""A client that writes down every event that was accepted: `python -m tests.integration.ledger FILE KEY URL...`.

It repeats what was not accepted, with the same event_id, until SIGTERM. Each of its tasks posts for DIDs of its own
and waits for one answer before the next event, so the log must have a DID's events in the order of their numbers.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import sys
import uuid
from typing import Any, TextIO

import httpx

TASKS = 12
DIDS = 5  # of each task
BATCH = 20  # events, every tenth request
PAUSE = 0.05  # seconds before a request that failed is repeated
PATIENCE = 10.0  # seconds for an answer
# Shares of events that their processor refuses, or fails once. Such a one holds its DID up for 2 s: with more of them
# sixty DIDs could not keep up with what is taken in.
REFUSED, FAILED_AT_FIRST = 0.01, 0.001
ACCEPTED = (200, 202)


def event(task: int, number: int, chance: random.Random) -> dict[str, Any]:
    """An event that is done, tried twice, or dead in the end."""
    luck = chance.random()
    do = "refuse" if luck < REFUSED else "fail-at-first" if luck < REFUSED + FAILED_AT_FIRST else "nothing"
    return {
        "event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "event_type": "test.record",
        "did": f"did:plc:{task}-{number % DIDS}",
        "priority": 1,
        "payload": {"n": number, "do": do},
    }


async def post(clients: list[httpx.AsyncClient], task: int, ledger: TextIO, stop: asyncio.Event) -> None:
    """Post one request after the other, each until it is accepted."""
    chance = random.Random(task)
    numbers = itertools.count()
    while not stop.is_set():
        batch = [event(task, next(numbers), chance) for _ in range(BATCH if chance.random() < 0.1 else 1)]
        body: Any = batch if len(batch) > 1 else batch[0]
        while not stop.is_set():
            try:
                answer = await chance.choice(clients).post("/internal/events", json=body)
            except httpx.HTTPError:
                await asyncio.sleep(PAUSE)
                continue
            if answer.status_code in ACCEPTED:
                ledger.writelines(f"{one['event_id']}\n" for one in batch)
                ledger.flush()
                break
            if answer.status_code != 503:
                ledger.write(f"! {answer.status_code} {answer.text}\n")
                ledger.flush()
            await asyncio.sleep(PAUSE)


async def main(path: str, key: str, *urls: str) -> None:
    """Run all tasks until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    clients = [
        httpx.AsyncClient(base_url=url, headers={"X-Internal-Key": key}, timeout=PATIENCE, trust_env=False)
        for url in urls
    ]
    with open(path, "a", encoding="utf-8") as ledger:
        await asyncio.gather(*(post(clients, task, ledger, stop) for task in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
