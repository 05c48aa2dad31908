"""Editing a letter's payload: judged as at the door and by its processor, then pending again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from events.complaints import Complaint, complaints
from events.exceptions import EnvelopeError
from events.log.dead_letters import amend
from events.models import DeadLetter, Event
from events.payload import PAYLOAD_ALLOWED, canonical
from events.visible import payload_text, pretty

if TYPE_CHECKING:
    from events.admin.dead_letters import DeadLetterAdmin

LIST = "admin:events_deadletter_changelist"
CHANGED = "This dead letter changed since you opened it."


def edit(page: DeadLetterAdmin, request: HttpRequest, letter: DeadLetter | None) -> HttpResponse:
    """The form, and what is wrong with what was written in it; else the letter is pending again."""
    if letter is None or letter.discarded_at or request.POST.get("died", _died(letter)) != _died(letter):
        messages.warning(request, CHANGED)
        return HttpResponseRedirect(reverse(LIST))
    text = payload_text(letter.event.payload)
    if request.method == "POST":
        text = request.POST.get("payload", "")
        content, found = judge(letter.event, text)
        if not found and not _amend(request, letter, content):
            found = [Complaint("", CHANGED)]
        if not found:
            messages.success(request, f"{letter} has another payload and was requeued.")
            return HttpResponseRedirect(reverse(LIST))
    else:
        found = complaints(letter.event, letter.event.payload)
    context = page.context(
        request,
        title="Edit payload and requeue",
        letter=letter,
        text=text,
        rows=min(30, text.count("\n") + 3),
        complaints=found,
        died=_died(letter),
        allowed=PAYLOAD_ALLOWED,
    )
    return render(request, "admin/events/deadletter/edit.html", context)


def judge(event: Event, text: str) -> tuple[dict[str, Any], list[Complaint]]:
    """The payload that `text` spells, and what is wrong with it as one of this event."""
    try:
        payload = canonical(text.strip().encode("utf-8", "surrogatepass"))
    except EnvelopeError as error:
        return {}, [Complaint("", error.problem, error.allowed)]
    if payload.content is None:
        return {}, complaints(event, payload.text.decode())
    return payload.content, complaints(event, payload.content)


def _amend(request: HttpRequest, letter: DeadLetter, content: dict[str, Any]) -> bool:
    before, after = payload_text(letter.event.payload), pretty(content)
    with transaction.atomic():
        amended = amend(letter, content)
        if amended:
            # Django's own log of changes: who, when, and both payloads.
            told = f"edited and requeued\n\nbefore:\n{before}\n\nafter:\n{after}"
            LogEntry.objects.log_actions(cast(int, request.user.pk), [letter], CHANGE, told, single_object=True)
    return amended


def _died(letter: DeadLetter) -> str:
    return letter.died_at.isoformat()
