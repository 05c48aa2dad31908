"""Latencies in buckets: nothing is lost by adding up, and quantiles lie where the events lie."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.latency import BOUNDS, BUCKETS, Latencies, add, by_bucket, observed, quantile

NOW = 1_800_000_000_000_000  # microseconds since 1970


@dataclass
class Applied:
    event_type: str
    priority: int
    received: int


applied = st.builds(
    Applied,
    event_type=st.sampled_from(["a", "b"]),
    priority=st.integers(0, 3),
    received=st.one_of(st.integers(-1_000, 2 * BOUNDS[-1]), st.sampled_from(BOUNDS)).map(lambda waited: NOW - waited),
)


@given(st.lists(applied))
def test_each_event_is_counted_once_in_the_bucket_of_its_own_latency(entries: list[Applied]) -> None:
    expected: Counter[tuple[str, int, int]] = Counter()
    sums: Counter[tuple[str, int, int]] = Counter()
    for entry in entries:
        key = (entry.event_type, entry.priority, bisect_left(BOUNDS, NOW - entry.received))
        expected[key] += 1
        sums[key] += NOW - entry.received
    assert observed(entries, NOW) == {key: (count, sums[key]) for key, count in expected.items()}


@given(st.lists(applied), st.lists(applied))
def test_two_batches_added_are_as_one(first: list[Applied], second: list[Applied]) -> None:
    together: Latencies = {}
    add(together, observed(first, NOW))
    add(together, observed(second, NOW))
    assert together == observed(first + second, NOW)
    assert sum(by_bucket(together)) == len(first + second)


@given(st.lists(st.integers(0, BOUNDS[-1]), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_event_that_it_names(waits: list[int], share: float) -> None:
    counts = by_bucket(observed([Applied("a", 1, NOW - wait) for wait in waits], NOW))
    rank = min(len(waits) - 1, max(0, -int(-share * len(waits) // 1) - 1))
    bucket = bisect_left(BOUNDS, sorted(waits)[rank])
    told = quantile(counts, share)
    assert told is not None
    assert (BOUNDS[bucket - 1] if bucket else 0) / 1e6 <= told <= BOUNDS[bucket] / 1e6


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile([0] * BUCKETS, 0.5) is None


def test_what_took_longer_than_the_last_bound_is_told_as_the_last_bound() -> None:
    counts = [0] * BUCKETS
    counts[-1] = 10
    assert quantile(counts, 0.99) == pytest.approx(BOUNDS[-1] / 1e6)
