"""The log in the admin: finding events, and the life of one DID."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.admin.events import FIELDS, EventAdmin
from events.admin.life import life
from events.admin.question import Question
from events.admin.search import NEWEST, Page, find
from events.models import Event
from events.syntax import DID_ALLOWED, is_did


@admin.register(Event)
class LogAdmin(EventAdmin):
    """All events, the newest first. The list is one of our own: Django's would count the log, and scan it."""

    fields = readonly_fields = tuple("condition" if name == "state" else name for name in FIELDS)

    @admin.display(description="state")
    def condition(self, event: Event) -> SafeString | str:
        """The state; of a dead event, with the way to what can be done about it."""
        label = Event.State(event.state).label
        if event.state != Event.State.DEAD:
            return label
        address = reverse("admin:events_deadletter_change", args=[event.pk])
        return format_html('<span class="state dead">{}</span> <a href="{}">Its dead letter</a>', label, address)

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
