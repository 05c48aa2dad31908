"""Worker processes and their last heartbeats, read only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from events.models import Worker


@admin.register(Worker)
class WorkerAdmin(admin.ModelAdmin):
    """Who works, who said goodbye, who died."""

    list_display = ("__str__", "started_at", "heartbeat_at", "stopped_at", "died_at", "slots", "processed", "failed")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Worker | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Worker | None = None) -> bool:
        return False
