"""The ways to POST events. What is promised is promised of each: the tests of the contract run against all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.test import Client

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


DOORS: dict[str, Door] = {"view": view}
