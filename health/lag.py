"""How late the event loop is: what every request of this process waits for, whatever it asks."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import Any

TICK = 0.1  # seconds between two looks
MINUTE = 60.0

_seen: deque[tuple[float, float]] = deque(maxlen=int(MINUTE / TICK))  # when, and how late (seconds)


async def watch() -> None:
    """Look until cancelled."""
    while True:
        began = monotonic()
        await asyncio.sleep(TICK)
        now = monotonic()
        _seen.append((now, max(0.0, now - began - TICK)))


def read() -> dict[str, Any] | None:
    """The lag now and the worst of the last minute, in milliseconds; None where no loop is watched."""
    now = monotonic()
    late = [lag for at, lag in list(_seen) if now - at <= MINUTE]
    if not late:
        return None
    return {"lag_ms": round(1_000 * late[-1], 2), "worst_lag_ms_last_minute": round(1_000 * max(late), 2)}
