"""The history as series of numbers: a number where something is known, None where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from events.history.folding import fold, slot_of
from events.history.keeping import COARSE, FINE
from events.latency import quantile
from events.models import Sample

BROKEN = 2.5  # slots without a sample, from which on nothing is known of the time between


class Window(NamedTuple):
    """A time to look back on. Times are in seconds."""

    name: str
    label: str
    length: int
    source: int  # the step of the samples that are read
    step: int  # of the slots that are shown


WINDOWS = {
    window.name: window
    for window in (
        Window("1h", "1 hour", 3_600, FINE, 30),
        Window("24h", "24 hours", 24 * 3_600, COARSE, 600),
        Window("7d", "7 days", 7 * 24 * 3_600, COARSE, 3_600),
        Window("30d", "30 days", 30 * 24 * 3_600, COARSE, 6 * 3_600),
    )
}

Points = list[tuple[datetime, float | None]]
Value = Callable[[Sample], float]


class History(NamedTuple):
    """The samples of a window in the order of time, and the slots that they stand for."""

    samples: list[Sample]
    step: int  # seconds

    def gauge(self, value: Value) -> Points:
        """A number of each slot; None in the middle of each gap, so that no line leads over it."""
        points: Points = []
        for before, sample in self._pairs():
            if before is None and points:
                points.append((points[-1][0] + (sample.taken_at - points[-1][0]) / 2, None))
            points.append((sample.taken_at, value(sample)))
        return points

    def rate(self, value: Value) -> Points:
        """How much a counter grew a second; None behind a gap, and where it was less than before."""

        def growth(before: Sample, sample: Sample) -> float | None:
            grown = value(sample) - value(before)
            return None if grown < 0 else grown / (sample.taken_at - before.taken_at).total_seconds()

        return self._between(growth)

    def latency(self, share: float) -> Points:
        """Seconds within which `share` of the events applied in each slot were done; None where none was."""

        def quantile_of(before: Sample, sample: Sample) -> float | None:
            counts = differences(before.latency, sample.latency)
            return None if counts is None else quantile(counts, share)

        return self._between(quantile_of)

    def _between(self, value: Callable[[Sample, Sample], float | None]) -> Points:
        return [
            (sample.taken_at, None if before is None else value(before, sample)) for before, sample in self._pairs()
        ]

    def _pairs(self) -> Iterable[tuple[Sample | None, Sample]]:
        """Each sample with the one before it; with None if there is none, or too long ago."""
        longest = timedelta(seconds=BROKEN * self.step)
        before: Sample | None = None
        for sample in self.samples:
            broken = before is None or not timedelta(0) < sample.taken_at - before.taken_at <= longest
            yield None if broken else before, sample
            before = sample


def differences(before: Sequence[int], after: Sequence[int]) -> list[int] | None:
    """How many came into each bucket between two samples of a histogram; None if it was begun anew."""
    grown = [new - old for old, new in zip(before, after, strict=False)]
    return None if len(before) != len(after) or min(grown, default=0) < 0 else grown


def read(window: Window, now: datetime | None = None) -> History:
    """The history of a window that ends now: one slot more before it, for its first rates, and the newest moment."""
    now = now or timezone.now()
    begin = slot_of(now, window.source) - (window.length + window.step) // window.source
    samples = list(Sample.objects.filter(step=window.source, slot__gte=begin).order_by("slot"))
    if window.source != FINE:
        newest = Sample.objects.filter(step=FINE).order_by("-slot").first()
        if newest is not None and (not samples or newest.taken_at > samples[-1].taken_at):
            samples.append(newest)
    return History(list(fold(samples, window.step)), window.step)
