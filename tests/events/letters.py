"""Dead letters made by hand, and the admin's users."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from events import roles
from events.models import DeadLetter
from events.reasons import reason_of
from tests.events import states

LIST = "/admin/events/deadletter/"
DECIDE = f"{LIST}decide/"
TRACEBACK = "Traceback (most recent call last):\n  ...\nValueError: strength 300"


def dead(number: int = 1, *, error: str = TRACEBACK, **fields: Any) -> list[DeadLetter]:
    """Dead letters, the first of them the first that died. Fields are of the letter or of its event."""
    died = timezone.now() - timedelta(hours=1)
    known = {"event_type": "test.record", "did": "did:plc:alice", "attempts": 4, "reason": _reason(error)}
    return [
        states.dead(
            **{**known, "error": error, "payload": {"n": n}, "died_at": died + timedelta(milliseconds=n), **fields}
        )
        for n in range(number)
    ]


def _reason(error: str) -> str:
    """As the log has it: of a message, or of the exception that a traceback ends with."""
    kind, _, message = error.rpartition("\n")[2].partition(": ") if error.startswith("Traceback") else ("", "", error)
    return reason_of(kind, message)


def user(role: str | None) -> User:
    """Somebody who may open the admin, in the group of a role."""
    roles.make()
    someone = User.objects.create(username=role or "nobody", is_staff=True)
    if role:
        someone.groups.add(Group.objects.get(name=role))
    return someone


def text(client: Client, path: str, **query: Any) -> str:
    """A page that answers 200, as its source."""
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()
