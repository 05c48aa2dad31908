"""Which letters a page shows: the filter in its address, and the page's key."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from events.dead_letters import Filter
from events.models import DeadLetter

PAGE = 50  # letters
CLOCK = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format="%Y-%m-%dT%H:%M:%S")


class FilterForm(forms.Form):
    """The filter as a form, all of it optional. Times are UTC."""

    reason = forms.CharField(required=False, max_length=200, strip=False)  # one is found as it is, or not at all
    event_type = forms.CharField(required=False, max_length=100, label="Type")
    did = forms.CharField(required=False, max_length=2048, label="DID")
    since = forms.DateTimeField(required=False, widget=CLOCK, label="Died since (UTC)")
    until = forms.DateTimeField(required=False, widget=CLOCK, label="Died before (UTC)")

    # An empty reason is any; this asks for letters that have none.
    unexplained = forms.BooleanField(required=False, widget=forms.HiddenInput, label="Without a reason")
    asked = forms.DateTimeField(required=False, widget=forms.HiddenInput, label="Dead by (UTC)")

    def chosen(self) -> Filter:
        """The filter; call it on a valid form only."""
        given = {name: value or None for name, value in self.cleaned_data.items()}
        if given.pop("unexplained"):
            given["reason"] = ""
        return Filter(**given)


def hidden_fields(chosen: Filter) -> dict[str, str]:
    """A filter as the hidden fields of a form, or an address's query."""
    given = chosen.given
    if given.get("reason") == "":
        del given["reason"]
        given["unexplained"] = "1"
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}


def told(chosen: Filter) -> dict[str, str]:
    """A filter as people read it."""
    labels = {name: str(field.label or name.capitalize()) for name, field in FilterForm.base_fields.items()}
    return {
        labels[name]: f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value or "none was recorded"
        for name, value in chosen.given.items()
    }


def page_of(chosen: Filter, query: QueryDict) -> tuple[list[DeadLetter], str | None]:
    """The letters of a page, the newest deaths first, and the key of the next page; None if this is the last."""
    rows = chosen.chosen().select_related("event").defer("event__payload")
    key = _key(query.get("after", ""))
    if key is not None:
        died, last = key
        # A range that an index begins at; of those that died in the same moment, the ones that were not shown.
        rows = rows.filter(Q(died_at__lt=died) | Q(pk__lt=last), died_at__lte=died)
    letters = list(rows.order_by("-died_at", "-pk")[: PAGE + 1])
    if len(letters) <= PAGE:
        return letters, None
    end = letters[PAGE - 1]
    return letters[:PAGE], f"{end.died_at.isoformat()}_{end.pk}"


def _key(text: str) -> tuple[datetime, int] | None:
    """The key in an address; None where there is none, or nonsense: then it is the first page."""
    died, _, last = text.rpartition("_")
    if not (last.isascii() and last.isdecimal() and len(last) < 19):
        return None
    try:
        moment = parse_datetime(died)
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else (moment, int(last))
