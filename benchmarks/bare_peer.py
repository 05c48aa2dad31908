"""The limit of the server: an ASGI application that reads the body and does nothing with it."""

from __future__ import annotations

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

ANSWER = b'{"status":"enqueued"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """202 to everything."""
    if scope["type"] != "http":
        return
    more = True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message["more_body"]
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS, "trailers": False})
    await send({"type": "http.response.body", "body": ANSWER, "more_body": False})
