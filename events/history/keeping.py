"""Taking samples, folding and forgetting them: by whichever worker comes first, a slot at a time.

Nobody is appointed. All workers look when a slot begins, and one that finds it empty fills it; two at once compute
the same, and one is kept. A worker killed in between leaves nothing half done: the next one goes on from the rows.
"""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta

from events import stats
from events.clock import database_now
from events.history.folding import fold, slot_of
from events.latency import BUCKETS
from events.models import Event, Sample
from events.stats import PRIORITIES, Figures

FINE = 10  # seconds of a slot
COARSE = 300
FINE_KEPT = 25 * 3_600  # seconds: an hour more than is shown
COARSE_KEPT = 31 * 24 * 3_600
HASTE = 1.0  # seconds from the beginning of a slot, within which each worker looks at a time of its own

AHEAD = timedelta(minutes=1)  # of now, from which on a sample is of a clock that was set back since

KEPT = {FINE: FINE_KEPT, COARSE: COARSE_KEPT}


class Keeping:
    """One process's share in the keeping of the history."""

    def seconds_until_next(self) -> float:
        """Seconds to the next slot, and a little by chance: mostly one worker comes first, and the others see it."""
        return FINE - time.time() % FINE + random.uniform(0, HASTE)  # noqa: S311 - no secret

    def keep(self) -> bool:
        """Fill the present slot if it is empty, fold what has ended and forget what is old; whether it was empty."""
        now = database_now()
        samples = Sample.objects.all()
        # They would stand in the way: nothing would be sampled, nor folded, until that time came again.
        for step in KEPT:
            samples.filter(step=step, slot__gt=slot_of(now + AHEAD, step)).delete()
        if samples.filter(step=FINE, slot=slot_of(now, FINE)).exists():
            return False
        began = time.monotonic()
        told = stats.figures()
        newest = samples.filter(step=FINE).order_by("-slot").first()
        taken = sample(told, now, self._received(newest), time.monotonic() - began)
        samples.bulk_create([taken], ignore_conflicts=True)
        self.fold(now)
        for step, kept in KEPT.items():
            samples.filter(step=step, slot__lt=slot_of(now, step) - kept // step).delete()
        return True

    def fold(self, now: datetime) -> int:
        """Fold the fine samples of the coarse slots that have ended since the last one folded; how many there were."""
        samples = Sample.objects.all()
        last = samples.filter(step=COARSE).order_by("-slot").values_list("slot", flat=True).first() or 0
        present = slot_of(now, COARSE)
        if last >= present - 1:
            return 0
        share = COARSE // FINE
        fine = samples.filter(step=FINE, slot__gte=(last + 1) * share, slot__lt=present * share).order_by("slot")
        return len(samples.bulk_create(fold(fine, COARSE), ignore_conflicts=True))

    def _received(self, newest: Sample | None) -> int:
        """The highest id given; not less than was seen before, though the log may have been pruned to its end."""
        highest = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
        return max(highest, newest.received if newest else 0)


def sample(now: Figures, taken_at: datetime, received: int, seconds: float) -> Sample:
    """The fine sample of these figures."""
    latency = [0] * BUCKETS
    for _, _, bucket, events, _ in now.latencies:
        latency[bucket] += events
    return Sample(
        step=FINE,
        slot=slot_of(taken_at, FINE),
        taken_at=taken_at,
        received=received,
        processed=now.processed,
        failed=now.failed,
        latency=latency,
        ready=[now.depth.ready.get(priority, 0) for priority in sorted(PRIORITIES)],
        waiting=now.depth.waiting + now.depth.suspects,
        dead=now.depth.dead,
        oldest_seconds=max(now.depth.oldest.values(), default=0.0),
        workers=len(now.alive),
        seconds=seconds,
    )
