"""Checks asked in the test's own thread, and with it in the test's own transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from health import draining, sampler
from health.registry import checks
from health.watch import Watch


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _not_draining(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test ends another's process."""
    monkeypatch.setattr(draining, "_begun", threading.Event())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all watches."""
    made = Clock()
    monkeypatch.setattr("health.watch.monotonic", made)
    return made


@pytest.fixture
def watches(monkeypatch: pytest.MonkeyPatch) -> dict[str, Watch]:
    """A watch for each registered check, as after `start`, but none asks by itself."""
    made = {name: Watch(check) for name, check in checks.items()}
    monkeypatch.setattr(sampler, "_watches", made)
    return made


@pytest.fixture
def asked(watches: dict[str, Watch]) -> Callable[[], None]:
    """Asks every check once."""

    def ask() -> None:
        for watch in watches.values():
            watch.ask()

    return ask


@pytest.fixture
def registry() -> Iterator[None]:
    """What the test registers is forgotten after it."""
    before = dict(checks)
    yield
    checks.clear()
    checks.update(before)
