"""Which letters a page shows: the filter in its address, and the page's key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from events.dead_letters import Filter
from events.models import DeadLetter

PAGE = 50  # letters
CLOCK = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format="%Y-%m-%dT%H:%M:%S")


class FilterForm(forms.Form):
    """The filter as a form, all of it optional. Times are UTC."""

    reason = forms.CharField(required=False, max_length=200)
    event_type = forms.CharField(required=False, max_length=100, label="Type")
    did = forms.CharField(required=False, max_length=2048, label="DID")
    since = forms.DateTimeField(required=False, widget=CLOCK, label="Died since (UTC)")
    until = forms.DateTimeField(required=False, widget=CLOCK, label="Died before (UTC)")

    asked = forms.DateTimeField(required=False, widget=forms.HiddenInput, label="Dead by (UTC)")

    def chosen(self) -> Filter:
        """The filter; call it on a valid form only."""
        return Filter(**{name: value or None for name, value in self.cleaned_data.items()})


def hidden_fields(chosen: Filter) -> dict[str, str]:
    """A filter as the hidden fields of a form, or an address's query."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in chosen.given.items()}


def told(chosen: Filter) -> dict[str, str]:
    """A filter as people read it."""
    labels = {name: str(field.label or name.capitalize()) for name, field in FilterForm.base_fields.items()}
    return {
        labels[name]: f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value
        for name, value in chosen.given.items()
    }


def page_of(chosen: Filter, query: QueryDict) -> tuple[list[DeadLetter], str | None]:
    """The letters of a page, the newest deaths first, and the key of the next page; None if this is the last."""
    rows: QuerySet[Any] = chosen.chosen(DeadLetter.objects.dead()).defer("payload", "raw")
    if key := _key(query.get("after", "")):
        died, last = key
        # A range that an index begins at; of those that died in the same moment, the ones that were not shown.
        rows = rows.filter(Q(finished_at__lt=died) | Q(id__lt=last), finished_at__lte=died)
    letters = list(rows.order_by("-finished_at", "-id")[: PAGE + 1])
    if len(letters) <= PAGE or letters[PAGE - 1].finished_at is None:
        return letters[:PAGE], None
    end = letters[PAGE - 1]
    return letters[:PAGE], f"{end.finished_at.isoformat()}_{end.pk}"


def _key(text: str) -> tuple[datetime, int] | None:
    """The key in an address; None where there is none, or nonsense: then it is the first page."""
    died, _, last = text.rpartition("_")
    try:
        moment = parse_datetime(died)
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None or not (last.isascii() and last.isdecimal() and len(last) < 19):
        return None
    return moment, int(last)
