"""What a step takes, and how much: adapts to the depth of the log and to the speed of its processors."""

from __future__ import annotations

from events.worker.batch import BatchRequest

BY_AGE_EVERY = 10  # steps: the last of them takes the lanes with the oldest events, of any priority
FIRST_LIMIT = 10  # events: what processors cost is not known yet, and a batch must end well within its time
HELD_AT_LEAST = 50  # events: a step with fixed costs (a flush, a checkpoint) is not made cheaper by a smaller batch


class Pace:
    """`share` lanes and `limit` events for the next step.

    A full batch halves the share, a partial one doubles it: a deep log is read along one lane's index, a shallow one
    is served whole in one transaction. The limit, up to `batch_size`, is such that a step takes `seconds`; with `held`,
    that many seconds as long as this leaves HELD_AT_LEAST events.
    """

    def __init__(self, lanes: int, batch_size: int, seconds: float, held: float | None = None) -> None:
        self.lanes = lanes
        self.batch_size = batch_size
        self.seconds = seconds
        self.held = held
        self.share = lanes
        self._one_by_one = 0
        self._steps = 0
        self.begin()

    def begin(self) -> None:
        """Begin with small batches: how long events take is not known, or is not what it was."""
        self.limit = min(FIRST_LIMIT, self.batch_size)

    def request(self) -> BatchRequest:
        """What the next step takes."""
        self._steps += 1
        return BatchRequest(self.share, self.limit, by_age=self._steps % BY_AGE_EVERY == 0)

    def took(self, read: int, limit: int, seconds: float) -> bool:
        """Learn from a step that read `read` of at most `limit` events; whether its batch was full."""
        full = read >= limit
        self.share = max(1, self.share // 2) if full else min(self.lanes, self.share * 2)
        if self._one_by_one:
            self._one_by_one -= 1
            self.limit = 1
            if not self._one_by_one:
                self.begin()
            return full
        # Several steps run at once: each says something of its own limit, and not of the present one.
        each = max(seconds, 1e-6) / max(1, read)
        if full:
            self.limit = max(self.limit, min(self._fitting(each), 2 * limit, self.batch_size))
        if seconds > self.seconds:
            self.limit = min(self.limit, self._fitting(each))
        elif self.held and seconds > self.held:
            # In small steps: the time may have been that of a checkpoint.
            self.limit = min(self.limit, max(HELD_AT_LEAST, int(0.8 * limit), self._fitting(each)))
        return full

    def one_by_one(self) -> None:
        """Batches of one, for as many steps as a batch has events: one of them can't be committed, but which?"""
        self._one_by_one = self.batch_size
        self.limit = 1

    def _fitting(self, each: float) -> int:
        """How many events a step should have that takes `each` seconds for one."""
        fitting = self.seconds / each
        if self.held:
            fitting = min(fitting, max(HELD_AT_LEAST, self.held / each))
        return max(1, int(fitting))
