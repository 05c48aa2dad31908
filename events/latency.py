"""How long events took from receipt to done, as counts in buckets: small, and added up without losing anything."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

# Upper bounds of the buckets in microseconds; one more bucket is for all that took longer.
BOUNDS = tuple(
    int(seconds * 1_000_000)
    for seconds in (
        *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
        *(1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400),
    )
)
BUCKETS = len(BOUNDS) + 1

# By event type, priority and bucket: how many events, and the sum of their microseconds.
Latencies = dict[tuple[str, int, int], tuple[int, int]]


class Received(Protocol):
    """What is known of an event that was applied."""

    event_type: str
    priority: int
    received: int  # microseconds since 1970


def observed(entries: Iterable[Received], finished: int) -> Latencies:
    """The latencies of events that were done at `finished`, in microseconds since 1970."""
    groups: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for entry in entries:
        groups[entry.event_type, entry.priority].append(entry.received)
    seen: Latencies = {}
    for (event_type, priority), received in groups.items():
        received.sort()  # nearly sorted already: a bucket at a time costs less than an event at a time
        start = 0
        while start < len(received):
            bucket = bisect_left(BOUNDS, finished - received[start])
            end = bisect_left(received, finished - BOUNDS[bucket - 1]) if bucket else len(received)
            seen[event_type, priority, bucket] = end - start, finished * (end - start) - sum(received[start:end])
            start = end
    return seen


def add(to: Latencies, more: Latencies) -> None:
    """Add `more` in place."""
    for key, (count, total) in more.items():
        before = to.get(key, (0, 0))
        to[key] = before[0] + count, before[1] + total


def by_bucket(latencies: Latencies) -> list[int]:
    """Counts of each bucket, whatever type and priority."""
    counts = [0] * BUCKETS
    for (_, _, bucket), (count, _) in latencies.items():
        counts[bucket] += count
    return counts


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Seconds within which `share` (0 to 1) of the counted events were done; None if none was.

    Within a bucket events are taken to lie evenly; of the last, which has no end, its beginning is told.
    """
    total = sum(counts)
    if not total:
        return None
    rank, below = share * total, 0
    for bucket, count in enumerate(counts):
        if count and below + count >= rank:
            low = BOUNDS[bucket - 1] if bucket else 0
            high = BOUNDS[bucket] if bucket < len(BOUNDS) else low
            return (low + (high - low) * (rank - below) / count) / 1_000_000
        below += count
    return BOUNDS[-1] / 1_000_000
