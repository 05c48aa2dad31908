"""The cache in Django's admin: how it is, above the last minutes of its journal. Read only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from cachecore import status
from cachecore.models import Invalidation


@admin.register(Invalidation)
class InvalidationAdmin(admin.ModelAdmin):
    """Invalidations by tag, newest first; rows live for minutes, so the table is short."""

    list_display = ("__str__", "tags", "created_at", "performed_at")
    list_display_links = None
    list_per_page = 50
    ordering = ("-id",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Invalidation | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Invalidation | None = None) -> bool:
        return False  # rows that nobody has performed are what keeps stale values from being told

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        panels = [_panel(alias) for alias in settings.CACHES]
        return super().changelist_view(request, {"title": "Cache", "caches": panels, **(extra_context or {})})


def _panel(alias: str) -> dict[str, Any]:
    figures = status.read(alias)
    outage = (figures.get("breaker") or {}).get("last_outage")
    if outage is not None:
        outage = {name: _moment(value) if name != "reason" else value for name, value in outage.items()}
    return {
        "alias": alias,
        "figures": figures,
        "outage": outage,
        "namespaces": [{"name": name, **counts} for name, counts in figures.get("namespaces", {}).items()],
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
