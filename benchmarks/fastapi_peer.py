"""The design that rhiz came from: FastAPI validates with pydantic and enqueues in memory. A crash loses the queue."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field


class Event(BaseModel):
    event_id: UUID = Field(default_factory=uuid4)
    event_type: str
    did: str
    payload: dict[str, Any]
    priority: int = Field(1, ge=0, le=3)


queue: asyncio.PriorityQueue[tuple[int, int, Event]] = asyncio.PriorityQueue()


async def _work() -> None:
    while True:
        await queue.get()


@asynccontextmanager
async def _working(app: FastAPI) -> AsyncIterator[None]:
    worker = asyncio.create_task(_work())
    yield
    worker.cancel()


application = FastAPI(lifespan=_working)
_received = 0


@application.post("/internal/events", status_code=202)
async def post(event: Event, x_internal_key: Annotated[str, Header()]) -> dict[str, str]:
    global _received
    if not hmac.compare_digest(x_internal_key, os.environ["INTERNAL_API_KEY"]):
        raise HTTPException(403)
    _received += 1
    await queue.put((-event.priority, _received, event))
    return {"status": "enqueued", "event_id": str(event.event_id)}
