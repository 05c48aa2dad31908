"""The lean door: liveness answered in front of Django, and the process's beginning and end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from health import paths, sampler
from health.answers import LIVE_BODY, LIVE_HEADERS

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class HealthDoor:
    """An ASGI application around another. Liveness costs no middleware, session, database or thread."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http" and scope["path"] in paths.LIVE and scope["method"] in ("GET", "HEAD"):
            await send({"type": "http.response.start", "status": 200, "headers": LIVE_HEADERS})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else LIVE_BODY})
        else:
            await self._application(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    """The ASGI lifespan: sampling starts with the process and ends with it."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            sampler.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            sampler.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
