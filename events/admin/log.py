"""The log in the admin: finding events, and the life of one DID."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.admin.life import life
from events.admin.links import did_link
from events.admin.question import Question
from events.admin.read_only import ReadOnly
from events.admin.search import NEWEST, Page, find
from events.models import Event
from events.syntax import DID_ALLOWED, is_did
from events.visible import payload_text, visible

FIELDS = (
    "event_id",
    "event_type",
    "life",
    "condition",
    "error",
    "priority",
    "lane",
    "tries",
    "received",
    "available",
    "ended",
    "worker",
    "rev",
    "occurred",
    "request_id",
    "traceparent",
    "content",
)


@admin.register(Event)
class LogAdmin(ReadOnly):
    """All events, the newest first. The list is one of our own: Django's would count the log, and scan it."""

    fields = readonly_fields = FIELDS

    class Media:
        css = {"all": ["events/pipeline.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        return Event.objects.with_state()

    def get_urls(self) -> list[URLPattern]:
        own = path("life/", self.admin_site.admin_view(self.life_view), name="events_event_life")
        return [own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The events that fit, a page of them; a question that can't be answered is told what to ask instead."""
        self._let_view(request)
        question = Question(request.GET)
        found: Page | None = None
        if question.is_valid():
            found = find(question.wanted(), before=question.cleaned_data["before"] or NEWEST)
        context = {"question": question, "page": found, "further": self._further(request, found)}
        return self._page(request, "list.html", "Events", context | (extra_context or {}), 200)

    def life_view(self, request: HttpRequest) -> HttpResponse:
        """All that is known of one DID."""
        self._let_view(request)
        did = request.GET.get("did", "").strip()
        if not is_did(did):
            refused = {
                "refused": f"{did[:100]!r} is no DID. Allowed: {DID_ALLOWED}." if did else f"Give {DID_ALLOWED}."
            }
            return self._page(request, "life.html", "Life of a DID", refused, 400)
        return self._page(request, "life.html", "Life of a DID", {"did": did, "sections": life(request, did)}, 200)

    def _let_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _page(
        self, request: HttpRequest, template: str, title: str, context: dict[str, Any], status: int
    ) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "media": self.media}
        return TemplateResponse(request, f"admin/events/event/{template}", whole | context, status=status)

    def _further(self, request: HttpRequest, found: Page | None) -> str:
        if found is None or found.before is None:
            return ""
        asked = {name: value for name, value in request.GET.items() if name != "before" and value}
        return "?" + urlencode({**asked, "before": found.before})

    @admin.display(description="DID")
    def life(self, event: Event) -> SafeString:
        """The DID, leading to all that is known of it."""
        return did_link(event.did)

    @admin.display(description="state")
    def condition(self, event: Any) -> SafeString | str:
        """The state; of a dead letter, with a link to it."""
        label = Event.State(event.state).label
        if event.state not in (Event.State.DEAD, Event.State.DISCARDED):
            return label
        address = reverse("admin:events_deadletter_change", args=[event.pk])
        return format_html('<span class="state {0}">{0}</span> <a href="{1}">Its dead letter</a>', label, address)

    @admin.display(description="error")
    def error(self, event: Any) -> SafeString | str:
        """The error of a dead letter; of a pending event, that of its newest failed attempt."""
        return format_html('<pre class="error">{}</pre>', visible(event.error)) if event.error else "-"

    @admin.display(description="tries")
    def tries(self, event: Any) -> str:
        """How often it was applied, and what befell the processes that did."""
        alone = ". It was in the batch of a worker that died: it runs alone" if event.suspect else ""
        died = f", {event.crashes} worker processes died while it ran alone in them" if event.crashes else ""
        return f"{event.attempts}{died}{alone}"

    @admin.display(description="received (UTC)")
    def received(self, event: Event) -> str:
        return _moment(event.received_at)

    @admin.display(description="to be applied from (UTC)")
    def available(self, event: Any) -> str:
        ready = event.state == Event.State.PENDING and event.available_at is None
        return "since its receipt" if ready else _moment(event.available_at)

    @admin.display(description="ended (UTC)")
    def ended(self, event: Any) -> str:
        return _moment(event.finished_at)

    @admin.display(description="applied by")
    def worker(self, event: Any) -> str:
        """The worker that applied it."""
        return event.worker or "-"

    @admin.display(description="lane")
    def lane(self, event: Any) -> int:
        return int(event.lane)

    @admin.display(description="occurred (UTC)")
    def occurred(self, event: Event) -> str:
        return _moment(event.occurred_at)

    @admin.display(description="payload")
    def content(self, event: Event) -> SafeString:
        """The payload, indented; one that can't be decoded, as its text."""
        return format_html('<pre class="payload">{}</pre>', payload_text(event.payload))


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}" if moment else "-"
