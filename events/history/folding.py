"""Fine samples made into coarse ones. Pure.

A coarse sample holds the last counters of its slot and the worst gauges. So folding in one go, in two, or what was
folded before gives the same: whoever folds, and however often, the history is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby, zip_longest

from events.models import Sample


def slot_of(moment: datetime, step: int) -> int:
    """The slot of `step` seconds that a moment lies in."""
    return int(moment.timestamp() // step)


def fold(samples: Iterable[Sample], step: int) -> Iterator[Sample]:
    """One sample a slot of `step` seconds that has any; `samples` come in the order of their times."""
    for slot, group in groupby(samples, lambda sample: slot_of(sample.taken_at, step)):
        each = list(group)
        last = each[-1]
        yield Sample(
            step=step,
            slot=slot,
            taken_at=last.taken_at,
            received=last.received,
            processed=last.processed,
            failed=last.failed,
            latency=last.latency,
            ready=[max(counts) for counts in zip_longest(*(sample.ready for sample in each), fillvalue=0)],
            waiting=max(sample.waiting for sample in each),
            dead=max(sample.dead for sample in each),
            oldest_seconds=max(sample.oldest_seconds for sample in each),
            workers=min(sample.workers for sample in each),
            seconds=max(sample.seconds for sample in each),
        )
