"""The lean door: liveness answered in front of Django, and the process's beginning and end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings

from health import draining, lag, paths, sampler
from health.answers import LIVE_BODY, LIVE_HEADERS

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class HealthDoor:
    """An ASGI application around another. Liveness costs no middleware, session, database or thread."""

    def __init__(self, application: Application, *, at_end: Callable[[], Awaitable[None]] | None = None) -> None:
        """`at_end` is awaited when the server has answered its last request."""
        self._application = application
        self._at_end = at_end

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send, self._at_end)
        elif scope["type"] == "http" and scope["path"] in paths.LIVE and scope["method"] in ("GET", "HEAD"):
            await send({"type": "http.response.start", "status": 200, "headers": LIVE_HEADERS})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else LIVE_BODY})
        else:
            await self._application(scope, receive, send)


async def _live(receive: Receive, send: Send, at_end: Callable[[], Awaitable[None]] | None) -> None:
    """The ASGI lifespan: sampling starts with the process and ends with it."""
    await receive()
    sampler.start()
    draining.announce(settings.DRAIN_DELAY)
    watching = asyncio.create_task(lag.watch())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    draining.begin()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    sampler.stop()
    if at_end is not None:
        await at_end()
    await send({"type": "lifespan.shutdown.complete"})
