"""What a step takes, and how much: adapts to the depth of the log and to the speed of its processors."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from events.worker.batch import BatchRequest

EVERY_FOURTH = 4  # one step in so many searches all lanes for the most urgent one, even where a lane is known
EVERY_TENTH = 10  # one step in so many takes the lane with the oldest event, whatever its priority
KNOWN = 16  # lanes with more than a batch that are remembered
FIRST_LIMIT = 10  # events: what processors cost is not known yet, and a batch must end well within its time


class Pace:
    """`share` lanes and `limit` events for the next step.

    A full batch halves the share, a partial one doubles it: a deep log is read along one lane's index, a shallow one
    is served whole in one transaction. The limit grows up to `batch_size` and is such that a step takes `seconds`. A
    lane that gave a full batch by itself is taken again without the search for the most urgent one, which reads the
    heads of all lanes; a search in between finds urgent events.
    """

    def __init__(self, lanes: int, batch_size: int, seconds: float) -> None:
        self.lanes = lanes
        self.batch_size = batch_size
        self.seconds = seconds
        self.share = lanes
        self.limit = min(FIRST_LIMIT, batch_size)
        self._one_by_one = 0
        self._steps = 0
        self._full: deque[int] = deque(maxlen=KNOWN)

    def request(self) -> BatchRequest:
        """What the next step takes."""
        self._steps += 1
        by_age = self._steps % EVERY_TENTH == 0
        search = by_age or self._steps % EVERY_FOURTH == 0 or not self._full
        return BatchRequest(self.share, self.limit, by_age=by_age, again=None if search else self._full.popleft())

    def took(self, read: int, limit: int, seconds: float, lanes: Sequence[int] = ()) -> bool:
        """Learn from a step that read `read` of at most `limit` events of `lanes`; whether its batch was full."""
        full = read >= limit
        if full and len(lanes) == 1:
            self._full.append(lanes[0])
        self.share = max(1, self.share // 2) if full else min(self.lanes, self.share * 2)
        if self._one_by_one:
            self._one_by_one -= 1
            self.limit = 1 if self._one_by_one else min(FIRST_LIMIT, self.batch_size)
        elif full or seconds > self.seconds:
            # In proportion, and at most doubled: a step may have been quick by chance.
            fitting = min(2.0, self.seconds / max(seconds, 1e-6)) * self.limit
            self.limit = max(1, min(self.batch_size, int(fitting)))
        return full

    def one_by_one(self) -> None:
        """Batches of one, for as many steps as a batch has events: one of them can't be committed, but which?"""
        self._one_by_one = self.batch_size
        self.limit = 1
