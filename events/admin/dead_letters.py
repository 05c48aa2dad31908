"""Dead events: what failed, why, and what can be done about it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest

from events.admin.events import EventAdmin
from events.models import DeadLetter, Event


@admin.register(DeadLetter)
class DeadLetterAdmin(EventAdmin):
    """Dead events, newest first, with the two ways to deal with them."""

    list_display: Any = (
        "event_id",
        "event_type",
        "did",
        "reason",
        "attempts",
        "received_at",
        "finished_at",
    )
    actions = ("requeue", "discard")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # The state stands as a literal in the index's condition; Django binds it, and PostgreSQL plans with its value.
        return super().get_queryset(request).filter(state=Event.State.DEAD)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Whether the user may decide about dead letters: who may change events may."""
        return bool(request.user.has_perm("events.change_event"))

    @admin.display(description="reason")
    def reason(self, event: Event) -> str:
        """The last line of the error: of a traceback, the one that names it."""
        return event.last_error.strip().rsplit("\n", 1)[-1][:200]

    @admin.action(description="Requeue: make pending again", permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._change(request, queryset, "requeued", Event.objects.requeue)

    @admin.action(description="Discard: give up for good", permissions=["requeue"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._change(request, queryset, "discarded", Event.objects.discard)

    def _change(self, request: HttpRequest, queryset: QuerySet[Any], what: str, change: Any) -> None:
        chosen = list(queryset)
        changed = change([event.pk for event in chosen])
        LogEntry.objects.log_actions(request.user.pk, chosen, CHANGE, change_message=what)  # type: ignore[arg-type]
        left = len(chosen) - changed
        self.message_user(request, f"{changed} events {what}.", messages.SUCCESS)
        if left:
            self.message_user(
                request,
                f"{left} were left as they are: no longer dead, or with a payload that can't be stored.",
                messages.WARNING,
            )
