"""The question put to each dependency. Each may raise or hang: the sampler bears both."""

from __future__ import annotations

from django.core.cache import caches
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from events import stats
from health.answers import Answer, Status

_PROBE_KEY = "health:probe"

# Migrations are read from disk until all of them are applied; after that only a restart brings new ones.
_migrated = False


def database() -> Answer:
    """It answers, and its tables are those of this code."""
    global _migrated
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    if not _migrated:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if waiting:
            return Answer(Status.FAIL, f"{waiting} migrations are not applied", {"unapplied_migrations": waiting})
        _migrated = True
    return Answer(Status.OK, figures={"vendor": connection.vendor})


def cache() -> Answer:
    """Redis answers where it is configured; memory always does."""
    default = caches["default"]
    default.has_key(_PROBE_KEY)  # which counts as no read
    mode = getattr(default, "mode", "unknown")
    figures = {"backend": type(default).__name__, "mode": mode}
    if mode == "memory" and getattr(default, "expects_redis", False):
        return Answer(Status.DEGRADED, "Redis can't be reached; local memory serves", figures)
    return Answer(Status.OK, figures=figures)


def event_pipeline() -> Answer:
    """Events are taken in and somebody applies them."""
    figures = stats.pipeline_metrics() | {"workers_alive": stats.workers_alive()}
    reasons = []
    if figures["workers_alive"] == 0:
        reasons.append("no worker is alive")
    if figures["backpressure_active"]:
        reasons.append("backpressure is active")
    return Answer(Status.DEGRADED if reasons else Status.OK, ", ".join(reasons), figures)


QUESTIONS = {"database": database, "cache": cache, "event_pipeline": event_pipeline}
