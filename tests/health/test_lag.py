"""The event loop's lag is what it was kept from running."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import pytest

from health import lag


@pytest.fixture(autouse=True)
def _nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "_seen", deque())
    monkeypatch.setattr(lag, "TICK", 0.01)


def test_where_no_loop_is_watched_nothing_is_told() -> None:
    assert lag.read() is None


async def test_a_blocked_loop_shows() -> None:
    watching = asyncio.create_task(lag.watch())
    await asyncio.sleep(0)
    time.sleep(0.2)  # what the test is about
    while (told := lag.read()) is None:
        await asyncio.sleep(0.01)
    watching.cancel()

    assert told["worst_lag_ms_last_minute"] >= 150
