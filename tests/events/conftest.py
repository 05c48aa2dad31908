"""Steps by hand, and events for the recorder."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import events
from events.models import Event, Lane
from events.worker.batch import Result, Take, step
from events.worker.floors import NONE

ALICE, BOB, CAROL = "did:plc:alice", "did:plc:bob", "did:plc:carol"


@pytest.fixture
def lanes(transactional_db: None) -> None:
    """The log's lanes, in a database that commits."""
    Lane.ensure()


@pytest.fixture
def take(lanes: None) -> Callable[..., Result]:
    """Run one step over all lanes."""

    def run(limit: int = 300, **options: Any) -> Result:
        return step(Take(share=64, limit=limit, **options), NONE)

    return run


@pytest.fixture
def send(lanes: None) -> Callable[..., UUID]:
    """Append one event for the recorder; its event_id."""

    def append(
        did: str = ALICE, n: int = 0, event_type: str = "test.record", priority: int = 1, **payload: Any
    ) -> UUID:
        event = {"event_type": event_type, "did": did, "priority": priority, "payload": {"n": n, **payload}}
        return events.append(event)[0].event_id

    return append


def state_of(event_id: UUID) -> Event.State:
    return Event.State(Event.objects.get(event_id=event_id).state)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Writes lines to a file; its name."""

    def write(*parts: bytes, name: str = "events.jsonl") -> str:
        path = tmp_path / name
        content = b"\n".join(parts)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return str(path)

    return write
