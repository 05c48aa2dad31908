"""Links to events and DIDs, and the state of an event, for templates."""

from __future__ import annotations

from typing import Any

from django import template

from events.admin import links
from events.models import Event

register = template.Library()
register.simple_tag(links.did_link)
register.simple_tag(links.event_link)


@register.filter
def state_name(event: Any) -> str:
    """The state of an event of `with_state()`."""
    return str(Event.State(event.state).label)
