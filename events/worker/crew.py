"""How many steps at once: as many as make the log shorter faster, and no more.

Steps that wait (for a processor's I/O, for a database on another host) gain from company; steps that share two
cores with each other and with the database lose by it: two processes of ten steps at once drained 22,800 events/s,
of two 36,500. Which it is shows only in the rate, so the crew tries: while batches come full it adds one, keeps it
if the rate rose, and else takes it back and waits longer before the next try.
"""

from __future__ import annotations

STEPS = 8  # full batches for each of the crew, over which a rate is taken
GAIN = 1.05  # what one more must bring to stay
FIRST_HOLD = 0.5  # seconds after a try that failed; doubled with each
LONGEST_HOLD = 30.0


class Crew:
    """Between 1 and `slots` steps at once. Times are in seconds of a clock that the caller reads."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.size = 1
        self._hold = FIRST_HOLD
        self._held_until = 0.0
        self._best: float | None = None  # the rate before the present try; None while none is made
        self._begun: float | None = None
        self._events = self._steps = 0

    def full_batch(self, events: int, now: float) -> None:
        """A full batch of `events` ended at `now`."""
        if self._begun is None:
            self._begin(now)
            return
        self._events += events
        self._steps += 1
        if self._steps < STEPS * self.size or now <= self._begun:
            return
        rate = self._events / (now - self._begun)
        if self._best is None:
            if self.size < self.slots and now >= self._held_until:
                self._best = rate
                self.size += 1
        elif rate >= self._best * GAIN:
            self._hold = FIRST_HOLD
            self._best = rate if self.size < self.slots else None
            self.size = min(self.slots, self.size + 1)
        else:
            self.size -= 1
            self._best = None
            self._held_until = now + self._hold
            self._hold = min(LONGEST_HOLD, self._hold * 2)
        self._begin(now)

    def partial_batch(self) -> None:
        """A batch was not full: the log is shallow, and a rate would say how fast events come."""
        if self._best is not None:
            self._best = None
            self.size -= 1
        self._begun = None

    def _begin(self, now: float) -> None:
        self._begun = now
        self._events = self._steps = 0
