"""Dead letters in the admin: what is dead, why, how much of it, and what can be done about it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path

from events.admin import decisions, mending
from events.admin.letters import FilterForm, hidden_fields, page_of
from events.admin.read_only import ReadOnly
from events.complaints import Complaint, complaints, lines
from events.exceptions import EnvelopeError
from events.log.reasons import COUNTED, groups, types
from events.models import BulkAction, DeadLetter, Event
from events.reasons import reason_of
from events.visible import last_line

LISTED = 10_000  # letters that a list counts; then it says that there are more
VERBS = ("requeue", "edit", "discard")


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly):
    """Pages of its own: Django's list counts and sorts, and a page for 200,000 letters may do neither."""

    def get_urls(self) -> list[URLPattern]:
        site, name = self.admin_site.admin_view, "events_deadletter"
        return [
            path("", site(self.changelist_view), name=f"{name}_changelist"),
            path("decide/", site(self.decide_view), name=f"{name}_decide"),
            path("<int:pk>/change/", site(self.letter_view), name=f"{name}_change"),
            path("<int:pk>/edit/", site(self.edit_view), name=f"{name}_edit"),
            path("<path:object_id>/history/", site(self.history_view), name=f"{name}_history"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Dead letters by reason, then one by one; filtered, only one by one."""
        self._check_view(request)
        form = FilterForm(request.GET)
        context = self.context(request, form=form, title="Dead letters", counted=COUNTED, listed=LISTED)
        if form.is_valid():
            chosen = form.chosen()
            letters, after = page_of(chosen, request.GET)
            first = "after" not in request.GET
            number = chosen.count(LISTED + 1)
            context |= {
                "letters": letters,
                "number": number,
                "more": number > LISTED,
                "filtered": bool(chosen.given),
                "filter": hidden_fields(chosen),
                "next": after and urlencode({**hidden_fields(chosen), "after": after}),
                "groups": self._groups() if first and not chosen.given else [],
                "types": types(connection),
                "running": BulkAction.objects.filter(state=BulkAction.State.RUNNING).order_by("id"),
            }
        return render(request, "admin/events/deadletter/list.html", context | (extra_context or {}))

    def letter_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One letter: why it is dead, each attempt, and its payload beside what its type wants."""
        self._check_view(request)
        letter = self.letter(pk)
        if letter.state != Event.State.DEAD and not request.user.has_perm("events.view_event"):
            raise PermissionDenied  # the right to see the dead is none to see them all
        found = [] if letter.raw is not None else complaints(letter, letter.payload)
        context = self.context(
            request,
            title=f"Dead letter: {letter.reason or letter.event_type}",
            letter=letter,
            dead=letter.state == Event.State.DEAD,
            attempts=letter.failures.order_by("-id"),
            lines=lines(letter.payload, found) if isinstance(letter.payload, dict) else [],
            complaints=found,
            died_of=_died_of(letter, found),
            raw=None if letter.raw is None else ascii(bytes(letter.raw))[2:-1],
        )
        return render(request, "admin/events/deadletter/letter.html", context)

    def decide_view(self, request: HttpRequest) -> HttpResponse:
        """Requeue or discard: first what would happen to how many, then, confirmed, it happens."""
        verb = request.POST.get("verb", "")
        if request.method != "POST" or verb not in BulkAction.Verb.values:
            raise Http404
        self._check_may(request, verb)
        return decisions.decide(self, request, verb)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Another payload for a letter."""
        self._check_may(request, "edit")
        return mending.edit(self, request, self.letter(pk))

    def context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        """What every page here needs: the admin's frame, and what its reader may do."""
        may = {verb: request.user.has_perm(f"events.{verb}_deadletter") for verb in VERBS}
        return {**self.admin_site.each_context(request), "opts": self.opts, "may": may, **more}

    def letter(self, pk: int) -> DeadLetter:
        """A letter, whatever became of it since it was listed; 404 where there is none."""
        if pk >= 2**63:
            raise Http404
        return get_object_or_404(DeadLetter, pk=pk)

    def _groups(self) -> list[dict[str, Any]]:
        found = groups(connection)
        examples = DeadLetter.objects.in_bulk([group.newest for group in found])
        return [{"group": group, "example": examples.get(group.newest)} for group in found]

    def _check_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _check_may(self, request: HttpRequest, verb: str) -> None:
        self._check_view(request)
        if not request.user.has_perm(f"events.{verb}_deadletter"):
            raise PermissionDenied


def _died_of(letter: DeadLetter, found: list[Complaint]) -> str:
    """What ended it, unless the complaints about its payload say just that: its type may want something else by now."""
    told = last_line(letter.last_error)
    said = {reason_of("", str(EnvelopeError(each.field, each.problem, each.allowed))) for each in found if each.field}
    return "" if reason_of("", told) in said else told or "no error was recorded"
