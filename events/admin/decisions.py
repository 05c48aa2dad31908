"""Requeue and discard: what will happen, to how many; and then it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.defaultfilters import pluralize
from django.urls import reverse

from events import bulk
from events.admin.letters import FilterForm, hidden_fields, told
from events.clock import database_now
from events.dead_letters import Filter

if TYPE_CHECKING:
    from events.admin.dead_letters import DeadLetterAdmin

SELECTED = 1_000  # letters that one form may name
NOTE_LENGTH = 500  # characters
LIST = "admin:events_deadletter_changelist"
DONE = {"requeue": "requeued", "discard": "discarded"}


def decide(page: DeadLetterAdmin, request: HttpRequest, verb: str) -> HttpResponse:
    """The page that asks whether it is meant, or, once confirmed, the decision."""
    form = FilterForm(request.POST)
    by_filter = request.POST.get("scope") == "filter"
    ids = sorted({int(pk) for pk in request.POST.getlist("selected")[:SELECTED] if pk.isdecimal() and len(pk) < 19})
    if not form.is_valid() or not (by_filter or ids):
        messages.warning(request, "Nothing was selected." if form.is_valid() else "Invalid filter.")
        return HttpResponseRedirect(reverse(LIST))
    chosen = form.chosen() if by_filter else None
    note = request.POST.get("note", "").replace("\0", "").strip()[:NOTE_LENGTH]
    confirmed = "confirmed" in request.POST
    if confirmed and (note or verb == "requeue"):
        return _carry_out(request, verb, chosen, ids, note)
    return _ask(page, request, verb, chosen, ids, note_missing=confirmed)


def _ask(
    page: DeadLetterAdmin, request: HttpRequest, verb: str, chosen: Filter | None, ids: list[int], *, note_missing: bool
) -> HttpResponse:
    if chosen is not None:
        # Only what was counted here is meant: what dies while someone thinks about it is not.
        chosen = msgspec.structs.replace(chosen, asked=database_now())
        number = chosen.count(bulk.COUNTED + 1)
    else:
        number = page.get_queryset(request).dead().filter(pk__in=ids).count()  # type: ignore[attr-defined]
    context = page.context(
        request,
        title=f"{verb.capitalize()} dead letters?",
        verb=verb,
        done=DONE[verb],
        number=min(number, bulk.COUNTED),
        more=number > bulk.COUNTED,
        background=chosen is not None and number > bulk.AT_ONCE,
        filter=None if chosen is None else hidden_fields(chosen),
        told={} if chosen is None else told(chosen),
        selected=ids,
        note_missing=note_missing,
        note_length=NOTE_LENGTH,
    )
    return render(request, "admin/events/deadletter/confirm.html", context)


def _carry_out(request: HttpRequest, verb: str, chosen: Filter | None, ids: list[int], note: str) -> HttpResponse:
    user: Any = request.user
    if chosen is None:
        changed = bulk.decide_about(user, verb, ids, note)
        left = len(ids) - changed
    else:
        decided = bulk.decide(user, verb, chosen, note)
        if decided.action is not None:
            return HttpResponseRedirect(reverse("admin:events_bulkaction_change", args=[decided.action.pk]))
        changed, left = decided.changed, chosen.count(bulk.AT_ONCE)
    messages.success(request, f"{changed} dead letter{pluralize(changed)} {DONE[verb]}.")
    if left:
        messages.warning(request, f"Left as they are: {left}, no longer dead.")
    return HttpResponseRedirect(reverse(LIST))
