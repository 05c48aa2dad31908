"""What an operator asks of the log, as a form: each field is checked, and what no index serves is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms

from events.admin.search import Wanted
from events.models import Event
from events.syntax import is_did, parse_record_uri

ALLOWED = (
    "An event_id (a UUID), a DID, or the at:// address of a record, whole. Other words are not searched for: "
    "the log has no index of them. Give a type, a state or a time instead."
)
# No index leads to an event of unknown state: `manage.py verify_log` looks for those.
STATES = [choice for choice in Event.State.choices if choice[0] != Event.State.UNKNOWN]
MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")


class Question(forms.Form):
    """Everything is optional; what is given must all be true of an event."""

    q = forms.CharField(
        required=False,
        max_length=8_192,
        label="event_id, DID or record",
        widget=forms.TextInput(attrs={"type": "search", "spellcheck": "false", "autocapitalize": "none"}),
    )
    type = forms.RegexField(r"\A[a-z0-9_.-]{1,100}\Z", required=False, label="Type", strip=True)
    state = forms.TypedChoiceField(
        choices=[("", "any"), *STATES], coerce=int, empty_value=None, required=False, label="State"
    )
    since = forms.DateTimeField(required=False, label="Received from (UTC)", widget=MOMENT)
    until = forms.DateTimeField(required=False, label="Received before (UTC)", widget=MOMENT)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)

    def clean_q(self) -> dict[str, Any]:
        """The one field of Wanted that the text is."""
        text: str = self.cleaned_data["q"].strip()
        if not text:
            return {}
        if is_did(text):
            return {"did": text}
        try:
            parse_record_uri(text)
        except ValueError:
            pass
        else:
            return {"uri": text}
        try:
            return {"event_id": UUID(text)}
        except ValueError:
            raise forms.ValidationError(ALLOWED) from None

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if any(moment is not None and not 1970 <= moment.year < 9999 for moment in (since, until)):
            raise forms.ValidationError("Give a year from 1970 to 9998.")
        if since and until and since >= until:
            raise forms.ValidationError("The time ends before it begins.")
        return given

    def wanted(self) -> Wanted:
        """What a valid question looks for."""
        given = self.cleaned_data
        return Wanted(
            **given["q"],
            event_type=given["type"],
            state=given["state"],
            since=_utc(given["since"]),
            until=_utc(given["until"]),
        )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
