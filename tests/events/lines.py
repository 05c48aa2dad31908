"""Lines of a file to replay."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from events.replay.lines import Line

DID = "did:plc:2rzv4orglylo5yb7lfyyxg25"


def body(**fields: Any) -> bytes:
    return json.dumps({"event_type": "relationship.created", "did": DID, "payload": {}, **fields}).encode()


def bodies(count: int) -> list[bytes]:
    return [body(event_id=str(uuid4())) for _ in range(count)]


def numbered(parts: list[bytes]) -> list[Line]:
    return [Line(number, part) for number, part in enumerate(parts, 1)]
