"""All events, read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from events.models import Event
from events.paging import BoundedPaginator

FIELDS = (
    "event_id",
    "event_type",
    "did",
    "lane",
    "priority",
    "state",
    "attempts",
    "crashes",
    "suspect",
    "available_at",
    "received_at",
    "finished_at",
    "rev",
    "occurred_at",
    "payload",
    "last_error",
    "request_id",
    "traceparent",
)


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    """The log, newest first. Found by event_id: the one search that an index serves whatever its state."""

    list_display: Any = (
        "event_id",
        "event_type",
        "did",
        "priority",
        "state",
        "attempts",
        "received_at",
        "finished_at",
    )
    list_display_links = ("event_id",)
    list_per_page = 50
    ordering = ("-id",)
    search_fields = ("=event_id",)
    search_help_text = "the whole event_id"
    paginator = BoundedPaginator
    show_full_result_count = False
    fields = FIELDS
    readonly_fields = FIELDS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # events come through the log's own doors, where they are validated

    def has_change_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        return False  # an event ends done, dead or discarded; old ones are pruned

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Nothing, and no error, for a term that is no UUID."""
        try:
            return super().get_search_results(request, queryset, search_term)
        except ValueError:
            return queryset.none(), False
