"""What counts as an outage of Redis, and how often it may be asked while it lasts."""

from __future__ import annotations

import random
import re
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
)

# Redis can't do it now. Anything else that it raises is a mistake of the program and goes on to the caller.
OUTAGES = (ConnectionError, TimeoutError, ReadOnlyError, BusyLoadingError, OutOfMemoryError, OSError)
# Outages for which redis-py has no class: the snapshot failed, replicas or master are missing, the cluster is down.
# In a pipeline redis-py puts the command before the code.
OUTAGE_CODE = re.compile(r"(?:^|caused error: )(?:MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|BUSY) ")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds between two probes
HISTORY = 20  # outages that are remembered


def is_outage(error: BaseException | None) -> bool:
    """Whether Redis, and not the caller, is to blame."""
    if isinstance(error, ConnectionInterrupted):
        error = error.__cause__
    if isinstance(error, ResponseError) and OUTAGE_CODE.search(str(error)):
        return True
    return isinstance(error, OUTAGES)


@dataclass(slots=True)
class Outage:
    """One stay in local memory. `began` and `ended` are seconds since 1970; `ended` is None while it lasts."""

    began: float
    reason: str
    ended: float | None = None


class Breaker:
    """Open from the first failure until Redis is trusted again; only the keeper asks meanwhile, one probe at a time."""

    def __init__(self) -> None:
        self.history: deque[Outage] = deque(maxlen=HISTORY)
        self.probing = False
        self._open = False
        self._probes = 0  # in vain, since it opened

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        if not self._open:
            return "closed"
        return "half-open" if self.probing else "open"

    def open(self) -> None:
        """Redis does not count as trusted, which need not be its fault."""
        self._open = True
        self._probes = 0

    def failed(self, reason: str) -> None:
        """It is its fault: an outage begins, unless one lasts."""
        if not self.history or self.history[-1].ended is not None:
            self.history.append(Outage(time.time(), reason))

    def close(self) -> bool:
        """Redis is trusted. Whether that ends an outage."""
        self._open = False
        if not self.history or self.history[-1].ended is not None:
            return False
        self.history[-1].ended = time.time()
        return True

    def pause(self) -> float:
        """Seconds until the next probe; each is longer than the last, with jitter, so that processes spread."""
        wait = min(FIRST_PAUSE * 2**self._probes, LONGEST_PAUSE)
        self._probes = min(self._probes + 1, 10)
        return wait * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing

    def told(self) -> dict[str, Any]:
        """The breaker for people: its state and the last outage."""
        last = self.history[-1] if self.history else None
        return {
            "state": self.state,
            "outages": len(self.history),
            "last_outage": None if last is None else {"began": last.began, "ended": last.ended, "reason": last.reason},
        }
