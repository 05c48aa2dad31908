"""Figures as families of metrics. Every name begins with `rhiz_`; times are in seconds; docs/operations lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from events.latency import BOUNDS, BUCKETS
from events.stats import PRIORITIES, Figures
from health.answers import Answer, Status

# Upper bounds of the histogram's buckets as Prometheus writes them.
_LE = [f"{bound / 1_000_000:g}" for bound in BOUNDS] + ["+Inf"]


def gauge(name: str, meaning: str, value: float) -> Metric:
    """One number that goes up and down."""
    return GaugeMetricFamily(f"rhiz_{name}", meaning, value=value)


def counter(name: str, meaning: str, value: float) -> Metric:
    """One number that only grows; `_total` is put behind its name."""
    return CounterMetricFamily(f"rhiz_{name}", meaning, value=value)


def labelled(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    """One gauge for each value of a label."""
    family = GaugeMetricFamily(f"rhiz_{name}", meaning, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def build_families(version: str) -> Iterator[Metric]:
    yield InfoMetricFamily("rhiz_build", "The version that runs.", value={"version": version})


def pipeline_families(now: Figures) -> Iterator[Metric]:
    """What `GET /internal/events/metrics` says, and the histogram since the log began."""
    yield counter("events_processed", "Events applied since the log began.", now.processed)
    yield counter("events_failed", "Attempts that failed since the log began.", now.failed)
    yield gauge("events_in_queue", "Pending events, counted up to one more than the capacity.", now.depth.pending)
    yield gauge("event_capacity", "EVENT_QUEUE_CAPACITY.", now.capacity)
    yield gauge("backpressure_active", "Whether ordinary events are refused.", now.backpressure)
    ready = {name: float(now.depth.ready.get(value, 0)) for value, name in PRIORITIES.items()}
    yield labelled("events_ready", "Pending events that may be applied now.", "priority", ready)
    oldest = {name: now.depth.oldest.get(value, 0.0) for value, name in PRIORITIES.items()}
    yield labelled(
        "oldest_ready_seconds", "Since the receipt of the oldest that is ready; 0: none.", "priority", oldest
    )
    yield gauge("events_waiting", "Pending events that wait for their next try or for another.", now.depth.waiting)
    yield gauge("dead_letters", "Dead events, counted up to one more than the capacity.", now.depth.dead)
    yield from _minute(now)
    yield counter("worker_busy_seconds", "Time that steps took, of all workers ever.", now.busy_seconds)
    yield counter("worker_available_seconds", "Time that steps could have taken.", now.available_seconds)
    yield gauge("failing_lanes", "Lanes whose batches keep failing by transient errors.", len(now.failing_lanes))
    yield gauge("log_faults", "Events that the audit found in no place, or in two; must be 0.", now.faults)
    workers = {"alive": len(now.alive) - len(now.stalled), "stalled": len(now.stalled), "died": now.died_recently}
    yield labelled("workers", "Worker processes; died: within the last five minutes.", "state", workers)
    yield _latency(now.latencies)


def cache_families(told: Mapping[str, Any]) -> Iterator[Metric]:
    """What this process knows of the cache. Counters have the scope that they count: all processes, or this one."""
    mode = {name: float(told.get("mode") == name) for name in ("redis", "memory")}
    yield labelled("cache_mode", "1 for what serves the cache in this process.", "mode", mode)
    fallen_back = told.get("backend") == "redis" and told.get("mode") != "redis"
    yield gauge("cache_fallback", "Whether Redis is configured and local memory serves.", fallen_back)
    for name in ("hits", "misses"):
        family = CounterMetricFamily(f"rhiz_cache_{name}", f"{name.title()} of the cache.", labels=["scope"])
        family.add_metric([str(told.get("scope", "process"))], told.get(name, 0))
        yield family
    yield gauge("cache_keys", "Keys in Redis, or in local memory.", told.get("total_keys", 0))
    yield gauge("cache_memory_bytes", "What they take.", told.get("memory_mb", 0) * 1_000_000)
    if told.get("journal_length") is not None:
        yield gauge("cache_journal_length", "Invalidations not yet performed.", told["journal_length"])
    if told.get("breaker"):
        yield counter("cache_outages", "Times that Redis failed this process.", told["breaker"]["outages"])


def health_families(answers: Mapping[str, Answer]) -> Iterator[Metric]:
    """What this process's health checks last said."""
    states = GaugeMetricFamily("rhiz_dependency_status", "1 for the present status.", labels=["dependency", "status"])
    latency = GaugeMetricFamily("rhiz_dependency_latency_seconds", "Of its last answer.", labels=["dependency"])
    for name, answer in answers.items():
        for status in Status:
            states.add_metric([name, status.value], answer.status is status)
        if answer.latency is not None:
            latency.add_metric([name], answer.latency)
    yield states
    yield latency


def _minute(now: Figures) -> Iterator[Metric]:
    minute = now.minute
    yield gauge("events_per_second", "Events applied a second, over the last minute.", minute.throughput)
    yield gauge("event_processing_seconds", "Busy time over events applied, last minute.", minute.seconds_per_event)
    yield gauge("worker_utilization", "Busy time over available time, last minute; 0 to 1.", minute.utilization)
    told = {f"{share:g}": seconds for share, seconds in minute.quantiles().items() if seconds is not None}
    yield labelled("event_latency_recent_seconds", "Receipt to done, over the last minute.", "quantile", told)


def _latency(rows: list[tuple[str, int, int, int, float]]) -> Metric:
    family = HistogramMetricFamily(
        "rhiz_event_latency_seconds", "From receipt to done, since the log began.", labels=["event_type", "priority"]
    )
    counts: dict[tuple[str, int], list[int]] = {}
    sums: dict[tuple[str, int], float] = {}
    for event_type, priority, bucket, events, seconds in rows:
        key = event_type, priority
        counts.setdefault(key, [0] * BUCKETS)[bucket] += events
        sums[key] = sums.get(key, 0.0) + seconds
    for (event_type, priority), each in sorted(counts.items()):
        buckets = list(zip(_LE, map(float, accumulate(each)), strict=True))
        # Of an event that was received on a host whose clock is ahead the sum may be negative.
        family.add_metric([event_type, PRIORITIES[priority]], buckets, max(0.0, sums[event_type, priority]))
    return family
