"""Editing a letter's payload: judged as at the door and by its processor, then pending again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from events.complaints import Complaint, complaints
from events.exceptions import EnvelopeError
from events.log.faults import refuses_row
from events.models import DeadLetter, Event
from events.payload import PAYLOAD_ALLOWED, canonical
from events.visible import pretty

if TYPE_CHECKING:
    from events.admin.dead_letters import DeadLetterAdmin

LIST = "admin:events_deadletter_changelist"


def edit(page: DeadLetterAdmin, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
    """The form, and what is wrong with what was written in it; else the letter is pending again."""
    if letter.state != Event.State.DEAD or request.POST.get("died", _died(letter)) != _died(letter):
        messages.warning(request, "Somebody else was first: the letter is not the one that was shown.")
        return HttpResponseRedirect(reverse(LIST))
    text = _shown(letter)
    found: list[Complaint] = []
    if request.method == "POST":
        text = request.POST.get("payload", "")
        content, found = judge(letter, text)
        if not found:
            found = _amend(request, letter, content)
        if not found:
            messages.success(request, f"{letter} has another payload and was requeued.")
            return HttpResponseRedirect(reverse(LIST))
    elif letter.raw is None:
        found = complaints(letter, letter.payload)
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


def judge(letter: Event, text: str) -> tuple[dict[str, Any], list[Complaint]]:
    """The payload that `text` spells, and what is wrong with it as one of this letter."""
    try:
        payload = canonical(text.strip().encode("utf-8", "surrogatepass"))
    except EnvelopeError as error:
        return {}, [Complaint("", error.problem, error.allowed)]
    if payload.refusal:
        return {}, [Complaint("", payload.refusal, "what the log can hold")]
    return payload.content, complaints(letter, payload.content)


def _amend(request: HttpRequest, letter: DeadLetter, content: dict[str, Any]) -> list[Complaint]:
    before = _shown(letter)
    try:
        with transaction.atomic():
            if not letter.amend(content):
                return [Complaint("", "somebody else was first: the letter is no longer dead")]
            # Django's own log of changes: who, when, and both payloads.
            LogEntry.objects.log_actions(
                cast(int, request.user.pk),
                [letter],
                CHANGE,
                f"edited and requeued\n\nbefore:\n{before}\n\nafter:\n{pretty(content)}",
                single_object=True,
            )
    except DatabaseError as error:
        if not refuses_row(error):
            raise
        return [Complaint("", "the database can't hold it", "numbers that a database can hold")]
    return []


def _shown(letter: Event) -> str:
    if letter.raw is not None:
        return bytes(letter.raw).decode("utf-8", "backslashreplace").replace("\0", "\\u0000")
    return pretty(letter.payload)


def _died(letter: Event) -> str:
    return letter.finished_at.isoformat() if letter.finished_at else ""
