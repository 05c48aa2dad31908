"""Events of the real shape: relationship records of 6,000 people, all four priorities.

    python -m benchmarks.workload N [EVENT_TYPE]

writes N of them as lines of JSON.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID

DIDS = [f"did:plc:{n:024d}" for n in range(6_000)]
RELATIONSHIP = "relationship.created"
NOOP = "bench.noop"


def events(count: int, event_type: str = RELATIONSHIP, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`count` events; the same seed makes the same ones."""
    chance = random.Random(seed)
    for n in range(count):
        a, b = chance.sample(DIDS, 2)
        yield {
            "event_id": str(UUID(int=chance.getrandbits(128), version=4)),
            "event_type": event_type,
            "did": a,
            "priority": n % 4,
            "payload": {
                "uri": f"at://{a}/net.rhiz.relationship.record/{chance.getrandbits(52):013x}",
                "cid": "bafyrei" + "a" * 52,
                "participants": [a, b],
                "type": "professional",
                "strength": 80,
                "context": "work",
                "created_at": "2026-11-01T12:00:00Z",
            },
        }


def lines(count: int, event_type: str = RELATIONSHIP, seed: int = 1) -> Iterator[bytes]:
    """The same events, each as a line of JSON without its end."""
    for event in events(count, event_type, seed):
        yield json.dumps(event, separators=(",", ":")).encode()


def main() -> None:
    event_type = sys.argv[2] if len(sys.argv) > 2 else RELATIONSHIP
    for line in lines(int(sys.argv[1]), event_type):
        sys.stdout.buffer.write(line + b"\n")


if __name__ == "__main__":
    main()
