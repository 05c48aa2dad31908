"""Bulk actions in the admin: how far each is, and the button that stops it."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse

from events import bulk
from events.admin.letters import told
from events.admin.read_only import ReadOnly
from events.dead_letters import Filter
from events.models import BulkAction
from events.paging import BoundedPaginator

STOP = "events.stop_bulkaction"


@admin.register(BulkAction)
class BulkActionAdmin(ReadOnly):
    """What was decided about many dead letters, newest first."""

    list_display = ("id", "verb", "state", "changed", "expected", "asked_by", "asked_at", "ended_at", "note")
    list_select_related = ("asked_by",)
    list_per_page = 50
    ordering = ("-id",)
    paginator = BoundedPaginator
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site.admin_view
        own = [
            path("<int:pk>/change/", site(self.progress_view), name="events_bulkaction_change"),
            path("<int:pk>/figures/", site(self.figures_view), name="events_bulkaction_figures"),
            path("<int:pk>/stop/", site(self.stop_view), name="events_bulkaction_stop"),
        ]
        return own + super().get_urls()

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far an action is; a script of ours asks anew every second, without one the page is loaded anew."""
        action = self._action(request, pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{action.get_verb_display().capitalize()} dead letters",
            "action": action,
            "figures": figures(action),
            "told": told(msgspec.convert(action.filter, Filter)),
            "may_stop": request.user.has_perm(STOP),
        }
        response = render(request, "admin/events/bulkaction/progress.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def figures_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The figures alone."""
        return JsonResponse(figures(self._action(request, pk)), headers={"Cache-Control": "no-store"})

    def stop_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End it where it is: what is changed stays changed."""
        action = self._action(request, pk)
        if not request.user.has_perm(STOP):
            raise PermissionDenied
        if request.method != "POST":
            raise Http404
        if bulk.stop(action, request.user):  # type: ignore[arg-type]
            messages.success(request, "Stopped. What was changed before stays changed.")
        else:
            messages.warning(request, "It had ended already.")
        return HttpResponseRedirect(reverse("admin:events_bulkaction_change", args=[pk]))

    def _action(self, request: HttpRequest, pk: int) -> BulkAction:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if pk >= 2**63:
            raise Http404
        return get_object_or_404(BulkAction, pk=pk)


def figures(action: BulkAction) -> dict[str, Any]:
    """What the progress page shows and its script asks for."""
    return {
        "state": action.get_state_display(),
        "running": action.running,
        "changed": action.changed,
        "expected": max(action.expected, action.changed),
        "touched": action.touched_at and action.touched_at.isoformat(timespec="seconds"),
    }
