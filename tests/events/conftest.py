"""Batches by hand, and events for the recorder."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

import events
from events.models import Event
from events.worker.batch import BatchRequest, Result, run_batch

ALICE, BOB, CAROL = "did:plc:alice", "did:plc:bob", "did:plc:carol"


@pytest.fixture
def lanes(transactional_db: None) -> None:
    """A database that commits; its lanes are made after each flush."""


@pytest.fixture
def take(lanes: None) -> Callable[..., Result]:
    """Run one batch over all lanes."""

    def run(limit: int = 300, repeated: bool = False, **options: Any) -> Result:
        return run_batch(BatchRequest(share=64, limit=limit, **options), repeated=lambda lanes: repeated)

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


def found(event_id: UUID) -> Any:
    """An event with its derived state."""
    return Event.objects.with_state().get(event_id=event_id)


def state_of(event_id: UUID) -> Event.State:
    return Event.State(found(event_id).state)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Writes lines to a file; its name."""

    def write(*parts: bytes, name: str = "events.jsonl") -> str:
        path = tmp_path / name
        content = b"\n".join(parts)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return str(path)

    return write


class Background:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._result: Future[Any] = Future()
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until the condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the condition did not come to hold"
            time.sleep(0.005)

    def join(self, seconds: float = 10.0) -> Any:
        """What the call returned, or raises what it raised."""
        return self._result.result(seconds)

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._result.set_result(call())
        except BaseException as error:
            self._result.set_exception(error)
        finally:
            connections.close_all()


@pytest.fixture
def background() -> type[Background]:
    """Runs a call beside the test."""
    return Background
