"""The checks of what every process depends on: database, cache, and the pipeline that applies events."""

from __future__ import annotations

from typing import Any

from django.core.cache import caches
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from cachecore import reach, status
from events import stats
from events.conf import conf
from events.intake.admission import admission
from health import connections
from health.answers import Answer, Status
from health.registry import check

STATS = ("hit_rate", "total_keys", "hits", "misses", "memory_mb")

# Migrations are read from disk until all of them are applied; after that only a restart brings new ones.
_migrated = False


@check("database", hard=True)
def database() -> Answer:
    """It answers, and its tables are those of this code."""
    global _migrated
    figures = connections.figures(connection)
    if not _migrated:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if waiting:
            return Answer(Status.FAIL, "migrations are not applied", figures | {"unapplied_migrations": waiting})
        _migrated = True
    return Answer(Status.OK, figures=figures)


@check("cache")
def cache() -> Answer:
    """Redis answers and serves where it is configured; memory always does."""
    # The first look makes this process decide between Redis and memory, which other callers then need not wait for.
    getattr(caches["default"], "mode", None)
    reached = reach.answers()
    told: dict[str, Any] = status.read()
    figures = {name: value for name, value in told.items() if name not in STATS}
    figures["stats"] = {name: told[name] for name in STATS if name in told}
    if not reached:
        return Answer(Status.DEGRADED, "Redis can't be reached; local memory serves", figures)
    if told["mode"] == "memory" and told["backend"] == "redis":
        return Answer(Status.DEGRADED, "Redis answers and is not yet trusted; local memory serves", figures)
    return Answer(Status.OK, figures=figures)


@check("event_pipeline", pause=1.0)
def event_pipeline() -> Answer:
    """Events are taken in, and somebody applies them."""
    now = stats.figures()
    figures = stats.pipeline_metrics(now)
    rate = now.minute.throughput
    figures["drain_eta_seconds"] = round(now.depth.pending / rate, 1) if rate else None
    figures["dead_last_hour"] = stats.died_last_hour()
    reasons = []
    if not now.alive:
        reasons.append("no worker is alive")
    elif now.stalled:
        reasons.append("a worker is stalled: events are ready and it makes no progress")
    if now.backpressure:
        reasons.append("backpressure is active")
    if now.failing_lanes:
        reasons.append("a lane keeps failing")
    if now.faults:
        reasons.append("the audit found events in no known state")
    if now.lanes != conf.lanes:
        reasons.append("EVENT_LANES differs from the log's number of lanes")
    figures["admission"] = admission.report()
    if figures["admission"].get("pending", 0) is None:
        reasons.append("counting pending events takes too long, everything is admitted")
    return Answer(Status.DEGRADED if reasons else Status.OK, ", ".join(reasons), figures)
