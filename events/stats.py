"""Figures of the pipeline, read from the database: web and workers are different processes."""

from __future__ import annotations

from typing import Any

from django.db.models import Sum
from django.db.models.functions import Coalesce

from events.conf import conf
from events.models import Event, Worker

FULL_SHARE = 0.8  # of the capacity: where backpressure begins


def pending_count(limit: int | None = None) -> int:
    """How many events are pending, counted up to `limit` (the capacity): the cost is bounded too."""
    limit = conf.queue_capacity + 1 if limit is None else limit
    return Event.objects.pending().order_by()[:limit].count()


def workers_alive() -> int:
    """How many worker processes have a recent heartbeat."""
    return Worker.objects.alive().count()


def drain_rate() -> float:
    """Events applied a second over the last minute, by all workers that are alive."""
    minute = _last_minute()
    return float(minute["throughput"])


def backpressure(pending: int) -> bool:
    """Whether ordinary events are refused with so many pending: computed from what is there, whatever came before."""
    return pending >= FULL_SHARE * conf.queue_capacity


def pipeline_metrics() -> dict[str, Any]:
    """The figures of `GET /internal/events/metrics`.

    Counters are since the log began, of workers whose rows are still kept. `avg_processing_time_ms` is busy time
    over events applied, `throughput_per_second` events applied, `worker_utilization` busy over available time:
    each over the last minute, of the workers alive.
    """
    totals = Worker.objects.aggregate(processed=Coalesce(Sum("processed"), 0), failed=Coalesce(Sum("failed"), 0))
    minute = _last_minute()
    pending = pending_count()
    return {
        "events_processed": totals["processed"],
        "events_failed": totals["failed"],
        "events_in_queue": pending,
        "avg_processing_time_ms": round(1000 * minute["busy"] / minute["processed"], 3) if minute["processed"] else 0.0,
        "throughput_per_second": round(minute["throughput"], 2),
        "worker_utilization": round(min(1.0, minute["busy"] / minute["available"]), 4) if minute["available"] else 0.0,
        "backpressure_active": backpressure(pending),
        "workers": workers_alive(),
        "capacity": conf.queue_capacity,
    }


def _last_minute() -> dict[str, float]:
    """What the workers alive did in the last minute; in less, if they are younger."""
    rows = Worker.objects.alive().values_list("minute_processed", "minute_busy", "minute_available", "minute_seconds")
    return {
        "processed": sum(row[0] for row in rows),
        "busy": sum(row[1] for row in rows),
        "available": sum(row[2] for row in rows),
        "throughput": sum(processed / seconds for processed, _, _, seconds in rows if seconds),
    }
