"""Medians and percentiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def median(values: Iterable[float]) -> float:
    """The middle value; of an even number the mean of the two in the middle."""
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over runs that all have the same."""
    return {key: median(run[key] for run in runs) for key in runs[0]}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0-1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """Count, and p50, p95, p99 and the largest in milliseconds."""
    return {
        "count": len(seconds),
        **{f"p{share}": round(percentile(seconds, share / 100) * 1e3, 2) for share in (50, 95, 99)},
        "max": round(max(seconds) * 1e3, 2),
    }
