"""One event, read only: what became of it, why, and what it said."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.admin.links import did_link
from events.models import Event
from events.paging import BoundedPaginator

FIELDS: tuple[str, ...] = (
    "event_id",
    "event_type",
    "life",
    "state",
    "error",
    "priority",
    "lane",
    "tries",
    "received",
    "available",
    "ended",
    "rev",
    "occurred",
    "request_id",
    "traceparent",
    "content",
)


class EventAdmin(admin.ModelAdmin):
    """What the pages of all events and of the dead ones have in common."""

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

    class Media:
        css = {"all": ["events/pipeline.css"]}

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

    @admin.display(description="DID")
    def life(self, event: Event) -> SafeString:
        """The DID, leading to all that is known of it."""
        return did_link(event.did)

    @admin.display(description="error")
    def error(self, event: Event) -> SafeString | str:
        """Why it failed last, as it was written down."""
        return format_html('<pre class="error">{}</pre>', event.last_error) if event.last_error else "-"

    @admin.display(description="tries")
    def tries(self, event: Event) -> str:
        """How often it was applied, and what befell the processes that did."""
        alone = ". It was in the batch of a worker that died: it runs alone" if event.suspect else ""
        died = f", {event.crashes} worker processes died while it ran alone in them" if event.crashes else ""
        return f"{event.attempts}{died}{alone}"

    @admin.display(description="received (UTC)")
    def received(self, event: Event) -> str:
        return _moment(event.received_at)

    @admin.display(description="to be applied from (UTC)")
    def available(self, event: Event) -> str:
        return _moment(event.available_at)

    @admin.display(description="ended (UTC)")
    def ended(self, event: Event) -> str:
        return _moment(event.finished_at)

    @admin.display(description="occurred (UTC)")
    def occurred(self, event: Event) -> str:
        return _moment(event.occurred_at)

    @admin.display(description="payload")
    def content(self, event: Event) -> SafeString:
        """The payload, indented; bytes that no JSON column can hold are shown escaped."""
        if event.raw is not None:
            return format_html('<pre class="payload">{}</pre>', bytes(event.raw).decode("utf-8", "backslashreplace"))
        return format_html('<pre class="payload">{}</pre>', json.dumps(event.payload, indent=2, ensure_ascii=False))


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}" if moment else "-"
