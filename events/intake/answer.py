"""What a door sends back, whatever server it stands in."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Answer(NamedTuple):
    """A response without a framework; `headers` has Content-Type and no Content-Length."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def json(cls, status: int, content: object, headers: dict[str, str] | None = None) -> Answer:
        """`content` as JSON."""
        return cls(status, {"Content-Type": "application/json", **(headers or {})}, msgspec.json.encode(content))
