"""Worker processes and their last heartbeats, read only."""

from __future__ import annotations

from django.contrib import admin

from events.admin.read_only import ReadOnly
from events.models import Worker


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    """Worker processes: running, ended and dead ones."""

    list_display = ("__str__", "started_at", "heartbeat_at", "stopped_at", "died_at", "slots", "processed", "failed")
