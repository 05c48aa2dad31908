"""Figures of the pipeline, read from the database: web and workers are different processes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Sum
from django.db.models.functions import Coalesce, Now

from events.conf import conf
from events.latency import BUCKETS, quantile
from events.log.depth import Depth, depth, pending
from events.models import Audit, DeadLetter, Departed, Event, Lane, Latency, Tally, Worker
from events.recent import Recent

FULL_SHARE = 0.8  # of the capacity: where backpressure begins
RECENT_DEATH = timedelta(minutes=5)
DEATHS = 10_000  # dead events that are counted
QUANTILES = (0.5, 0.95, 0.99)
PRIORITIES: dict[int, str] = {priority.value: str(priority.label) for priority in Event.Priority}


@dataclass(frozen=True, slots=True)
class Minute:
    """What the workers alive did in the last minute; in less, if they are younger. Times are in seconds."""

    processed: int = 0
    busy: float = 0.0
    available: float = 0.0
    throughput: float = 0.0  # events a second
    latency: list[int] = field(default_factory=list)  # events by bucket of events.latency.BOUNDS

    @property
    def utilization(self) -> float:
        """Busy time over available time, 0 to 1."""
        return min(1.0, self.busy / self.available) if self.available else 0.0

    @property
    def seconds_per_event(self) -> float:
        """Busy time over events applied."""
        return self.busy / self.processed if self.processed else 0.0

    def quantiles(self) -> dict[float, float | None]:
        """Seconds from receipt to done within which each share of QUANTILES was; None where nothing was done."""
        return {share: quantile(self.latency, share) for share in QUANTILES}


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one moment. Counters are since the log began and never go backwards."""

    processed: int
    failed: int  # attempts
    depth: Depth
    capacity: int
    minute: Minute
    busy_seconds: float
    available_seconds: float
    alive: list[Worker]
    stalled: list[Worker]  # alive, and without progress for EVENT_BATCH_TIMEOUT though events were ready all the time
    died_recently: int  # worker processes, in the last five minutes
    latencies: list[tuple[str, int, int, int, float]]  # event type, priority, bucket, events, seconds
    faults: int  # events that the background audit found in no place, or in two
    lanes: int  # of the log

    @property
    def failing_lanes(self) -> list[dict[str, Any]]:
        """The lanes whose batches keep failing by transient errors, of all workers alive."""
        return [lane for worker in self.alive for lane in worker.failing_lanes]

    @property
    def backpressure(self) -> bool:
        return backpressure(self.depth.pending)


def pending_count(limit: int | None = None) -> int:
    """How many events are pending, counted up to `limit` (the capacity): the cost is bounded too."""
    return pending(conf.queue_capacity + 1 if limit is None else limit)


def died_last_hour() -> int:
    """How many events died in the last hour, counted up to DEATHS."""
    died = DeadLetter.objects.dead().filter(died_at__gt=Now() - timedelta(hours=1))
    return died.order_by("-died_at", "-event")[:DEATHS].count()


def drain_rate() -> float:
    """Events applied a second over the last minute, by all workers that are alive."""
    return minute_of(Worker.objects.alive()).throughput


def backpressure(depth: int) -> bool:
    """Whether ordinary events are refused with so many pending: computed from what is there, whatever came before."""
    return depth >= FULL_SHARE * conf.queue_capacity


def figures() -> Figures:
    """The figures now. Nothing is counted that is done: the cost does not grow with the log."""
    log = depth(conf.queue_capacity + 1)
    counted = Tally.objects.aggregate(processed=Coalesce(Sum("processed"), 0), failed=Coalesce(Sum("failed"), 0))
    workers = Worker.objects
    busy, available = map(sum, zip(_seconds(workers), _seconds(Departed.objects), strict=True))
    alive = list(workers.alive())
    return Figures(
        **counted,
        depth=log,
        capacity=conf.queue_capacity,
        minute=minute_of(alive),
        busy_seconds=busy,
        available_seconds=available,
        alive=alive,
        stalled=_stalled(alive, max(log.oldest.values(), default=0.0)),
        died_recently=workers.filter(died_at__gt=Now() - RECENT_DEATH).count(),
        latencies=list(Latency.objects.values_list("event_type", "priority", "bucket", "events", "seconds")),
        faults=Audit.objects.values_list("faults", flat=True).first() or 0,
        lanes=Lane.count(),
    )


def pipeline_metrics(now: Figures | None = None) -> dict[str, Any]:
    """The figures of `GET /internal/events/metrics`.

    `events_processed` and `events_failed` (attempts) are since the log began. `avg_processing_time_ms` is busy time
    over events applied, `throughput_per_second` events applied, `worker_utilization` busy over available time,
    `latency_ms` from receipt to done: each over the last minute, of the workers alive.
    """
    now = now or figures()
    minute = now.minute
    return {
        "events_processed": now.processed,
        "events_failed": now.failed,
        "events_in_queue": now.depth.pending,
        "avg_processing_time_ms": round(1000 * minute.seconds_per_event, 3),
        "throughput_per_second": round(minute.throughput, 2),
        "worker_utilization": round(minute.utilization, 4),
        "backpressure_active": now.backpressure,
        "workers": len(now.alive),
        "capacity": now.capacity,
        "latency_ms": {f"p{100 * share:.0f}": _milliseconds(s) for share, s in minute.quantiles().items()},
        "ready_by_priority": _by_priority(now.depth.ready, 0),
        "oldest_ready_seconds": {name: _rounded(age) for name, age in _by_priority(now.depth.oldest, None).items()},
        "waiting": now.depth.waiting,
        "dead_letters": now.depth.dead,
        "busy_seconds": round(now.busy_seconds, 3),
        "available_seconds": round(now.available_seconds, 3),
        "workers_stalled": len(now.stalled),
        "workers_died_recently": now.died_recently,
        "failing_lanes": now.failing_lanes,
        "faults": now.faults,
        "lanes": now.lanes,
        "each_worker": [_told(worker, worker in now.stalled) for worker in now.alive],
    }


def minute_of(workers: Iterable[Worker]) -> Minute:
    """The last minute of these workers together."""
    rows = list(workers)
    latency = [0] * BUCKETS
    for row in rows:
        for bucket, events in enumerate(row.minute_latency[:BUCKETS]):
            latency[bucket] += events
    return Minute(
        processed=sum(row.minute_processed for row in rows),
        busy=sum(row.minute_busy for row in rows),
        available=sum(row.minute_available for row in rows),
        throughput=sum((row.minute_processed / row.minute_seconds for row in rows if row.minute_seconds), 0.0),
        latency=latency,
    )


recent = Recent(figures)  # for scrapes


def _seconds(rows: Any) -> tuple[float, float]:
    """Busy and available."""
    found = rows.aggregate(busy=Coalesce(Sum("busy_seconds"), 0.0), available=Coalesce(Sum("available_seconds"), 0.0))
    return found["busy"], found["available"]


def _stalled(alive: list[Worker], oldest_ready: float) -> list[Worker]:
    limit = conf.batch_timeout
    return [worker for worker in alive if worker.idle_seconds >= limit and oldest_ready >= limit]


def _told(worker: Worker, stalled: bool) -> dict[str, Any]:
    return {
        "worker": str(worker),
        "state": "stalled" if stalled else "alive",
        "processed": worker.processed,
        "failed": worker.failed,
        "batches": worker.batches,
        "idle_seconds": _rounded(worker.idle_seconds),
    }


def _by_priority(values: dict[int, Any], absent: Any) -> dict[str, Any]:
    return {name: values.get(value, absent) for value, name in PRIORITIES.items()}


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 3)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
