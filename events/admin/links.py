"""Links to an event and to the life of its DID, wherever one is shown."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.models import Event

SHOWN = 40  # characters of a DID; it may have 2,048


def did_link(did: str) -> SafeString:
    """A DID, shortened in its middle, that leads to its life."""
    shown = did if len(did) <= SHOWN else f"{did[: SHOWN - 12]}…{did[-11:]}"
    return format_html('<a class="did" href="{}" title="{}">{}</a>', life_of(did), did, shown)


def event_link(event: Event, text: str = "") -> SafeString:
    """An event's type, or `text`, that leads to it."""
    address = reverse("admin:events_event_change", args=[event.pk])
    return format_html('<a href="{}">{}</a>', address, text or event.event_type)


def life_of(did: str) -> str:
    """The address of the page about a DID."""
    return f"{reverse('admin:events_event_life')}?{urlencode({'did': did})}"
