"""How much one process has in hand at once: beyond it a request is refused at once, and does not queue.

A request counts from when its body is complete, so that slow senders take no place from fast ones; bytes count as
they arrive.
"""

from __future__ import annotations

import threading

from events import conf
from events.intake import problems
from events.intake.problems import ProblemError

BODIES = 16  # bodies of the largest size that may be in memory at once: 80 MB by default


class Flight:
    """What is in hand: requests that wait for their commit, and bytes of bodies. Of use to threads and loops alike."""

    def __init__(self) -> None:
        self._figures = threading.Lock()  # held for arithmetic only
        self.requests = 0
        self.bytes = 0

    def __enter__(self) -> None:
        """A place for one request whose body is complete. Raises ProblemError, 503, when there is none."""
        with self._figures:
            if self.requests >= conf.intake.in_flight_limit:
                raise ProblemError(problems.too_busy())
            self.requests += 1

    def __exit__(self, *_: object) -> None:
        with self._figures:
            self.requests -= 1

    def hold(self, size: int) -> None:
        """`size` more bytes are in memory, until `release`. Raises ProblemError, 503, when there are too many."""
        with self._figures:
            if self.bytes + size > BODIES * conf.intake.body_limit:
                raise ProblemError(problems.too_busy())
            self.bytes += size

    def release(self, size: int) -> None:
        """`size` bytes are let go of."""
        with self._figures:
            self.bytes -= size


flight = Flight()
