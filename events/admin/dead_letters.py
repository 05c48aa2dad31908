"""Dead letters in the admin: what is dead, why, how much of it, and what can be done about it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from events.admin import decisions, mending
from events.admin.letters import FilterForm, hidden_fields, page_of
from events.admin.read_only import ReadOnly
from events.complaints import Complaint, complaints, lines
from events.exceptions import EnvelopeError
from events.log.reasons import COUNTED, groups, types
from events.models import BulkAction, DeadLetter, Event
from events.reasons import reason_of
from events.visible import last_line, payload_text

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
                "types": types(),
                "running": BulkAction.objects.filter(state=BulkAction.State.RUNNING).order_by("id"),
            }
        return render(request, "admin/events/deadletter/list.html", context | (extra_context or {}))

    def letter_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One letter: why it is dead, each attempt, and its payload beside what its type wants."""
        self._check_view(request)
        letter = self._letter(pk)
        if letter is None:
            return self._to_event(request, pk)
        event = letter.event
        found = complaints(event, event.payload)
        decodable = isinstance(event.payload, dict)
        context = self.context(
            request,
            title=f"Dead letter: {letter.reason or letter.event_type}",
            letter=letter,
            attempts=event.failures.order_by("-id"),
            lines=lines(event.payload, found) if decodable else [],
            complaints=found,
            died_of=_died_of(letter, found),
            text="" if decodable else payload_text(event.payload),
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
        return mending.edit(self, request, self._letter(pk))

    def context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        """What every page here needs: the admin's frame, and what its reader may do."""
        may = {verb: request.user.has_perm(f"events.{verb}_deadletter") for verb in VERBS}
        return {**self.admin_site.each_context(request), "opts": self.opts, "may": may, **more}

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> DeadLetter | None:
        """A letter; also one that was requeued, whose history stays."""
        found: DeadLetter | None = super().get_object(request, object_id, from_field)
        if found is not None or not LogEntry.objects.filter(**_of_letter(object_id)).exists():
            return found
        event = Event.objects.defer("payload").filter(pk=object_id).first()
        return DeadLetter(event=event, event_type=event.event_type, did=event.did) if event else None

    def _letter(self, pk: int) -> DeadLetter | None:
        """A letter, None where its event is none (any more); 404 where there is no such event."""
        if pk >= 2**63:
            raise Http404
        letter = DeadLetter.objects.select_related("event").filter(pk=pk).first()
        if letter is None and not Event.objects.filter(pk=pk).exists():
            raise Http404
        return letter

    def _to_event(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm("events.view_event"):
            raise PermissionDenied  # the permission to view dead letters includes no other events
        messages.info(request, "This event is not a dead letter now.")
        return HttpResponseRedirect(reverse("admin:events_event_change", args=[pk]))

    def _groups(self) -> list[dict[str, Any]]:
        found = groups()
        examples = DeadLetter.objects.only("event_type").in_bulk([group.newest for group in found])
        return [{"group": group, "example": examples.get(group.newest)} for group in found]

    def _check_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _check_may(self, request: HttpRequest, verb: str) -> None:
        self._check_view(request)
        if not request.user.has_perm(f"events.{verb}_deadletter"):
            raise PermissionDenied


def _of_letter(object_id: str) -> dict[str, Any]:
    return {"content_type": ContentType.objects.get_for_model(DeadLetter), "object_id": object_id}


def _died_of(letter: DeadLetter, found: list[Complaint]) -> str:
    """What ended it, unless the complaints about its payload say just that: its type may want something else by now."""
    told = last_line(letter.error)
    said = {reason_of("", str(EnvelopeError(each.field, each.problem, each.allowed))) for each in found if each.field}
    return "" if reason_of("", told) in said else told or "no error was recorded"
