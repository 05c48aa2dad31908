"""The ways to POST events. What is promised is promised of each: the tests of the contract run against all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from events.intake.door import IntakeDoor, Send
from events.intake.upload import Message, Receive

PATH = "/internal/events"
JSON = "application/json"
LINES = "application/x-ndjson"


@dataclass(frozen=True)
class Reply:
    """What a door sent back."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


def assert_problem(reply: Reply, status: int, field: str | None = None) -> dict[str, Any]:
    """That `reply` is a problem with this status, about this field; its content."""
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), reply.body
    content: dict[str, Any] = reply.content
    assert content["status"] == status
    assert {"type", "title", "detail"} <= content.keys()
    if field is not None:
        assert content["field"] == field
        assert content["problem"]
        assert content["allowed"]
    return content


# (body, headers) -> reply
Door = Callable[[bytes, dict[str, str]], Reply]


def view(body: bytes, headers: dict[str, str]) -> Reply:
    """The DRF view, through Django's middleware."""
    response = Client().generic("POST", PATH, body, headers=headers)
    return Reply(response.status_code, {name.lower(): value for name, value in response.items()}, response.content)


async def _nobody(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    raise AssertionError("this request is the lean door's")


def lean(body: bytes, headers: dict[str, str], behind: Any = _nobody) -> Reply:
    """The lean door, in process. Each call has an event loop of its own."""
    return asyncio.run(_through_the_lean_door(body, headers, behind))


async def _through_the_lean_door(body: bytes, headers: dict[str, str], behind: Any) -> Reply:
    sent: list[Message] = []
    pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)] or [b""]

    async def receive() -> Message:
        if not pieces:
            await asyncio.Event().wait()  # the caller stays
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    named = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    for name, value in ((b"content-length", str(len(body)).encode()), (b"host", b"testserver")):
        if all(name != given for given, _ in named):
            named.append((name, value))
    door = IntakeDoor(behind)
    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": named}
    await door(scope, receive, send)
    await door.close()
    start, end = sent
    return Reply(start["status"], {n.decode().lower(): v.decode() for n, v in start["headers"]}, end["body"])


DOORS: dict[str, Door] = {"view": view, "lean": lean}
# The lean door commits on a connection of its own, so a test's transaction can't hide what it writes.
EACH_DOOR = ["view", pytest.param("lean", marks=pytest.mark.django_db(transaction=True))]
