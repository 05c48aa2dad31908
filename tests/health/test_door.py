"""Liveness in front of Django, and the lifespan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from health import sampler
from health.door import HealthDoor, Message


class Behind:
    """The application behind the door; counts what reaches it."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])


async def _ask(door: HealthDoor, path: str, method: str = "GET") -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nothing is to be received")

    async def send(message: Message) -> None:
        sent.append(message)

    await door({"type": "http", "path": path, "method": method, "headers": []}, receive, send)
    return sent


@pytest.mark.parametrize("path", ["/health", "/livez"])
async def test_liveness_never_reaches_django(path: str) -> None:
    behind = Behind()
    start, body = await _ask(HealthDoor(behind), path)

    assert start["status"] == 200
    assert (b"cache-control", b"no-store") in start["headers"]
    assert json.loads(body["body"]) == {"status": "healthy"}
    assert behind.paths == []


async def test_head_has_no_body() -> None:
    _, body = await _ask(HealthDoor(Behind()), "/health", "HEAD")

    assert body["body"] == b""


async def test_everything_else_goes_to_django() -> None:
    behind = Behind()
    await _ask(HealthDoor(behind), "/health/ready")
    await _ask(HealthDoor(behind), "/health", "POST")

    assert behind.paths == ["/health/ready", "/health"]


async def test_sampling_starts_and_ends_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(sampler, "start", lambda: calls.append("start"))
    monkeypatch.setattr(sampler, "stop", lambda: calls.append("stop"))
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        calls.append(message["type"])

    await HealthDoor(Behind())({"type": "lifespan"}, receive, send)

    assert calls == ["start", "lifespan.startup.complete", "stop", "lifespan.shutdown.complete"]
