"""The same appender for whoever is measured: what is due, every 4 ms."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

TICK = 0.004  # seconds

T = TypeVar("T")


def pace(append: Callable[[Sequence[T]], object], events: Sequence[T], rate: float) -> None:
    """Append `events` at `rate` events a second."""
    start, sent = time.perf_counter(), 0
    while sent < len(events):
        due = min(len(events), int((time.perf_counter() - start) * rate))
        if due > sent:
            append(events[sent:due])
            sent = due
        time.sleep(TICK)
