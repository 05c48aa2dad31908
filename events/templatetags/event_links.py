"""`did_link` and `event_link` for templates."""

from __future__ import annotations

from django import template

from events.admin import links

register = template.Library()
register.simple_tag(links.did_link)
register.simple_tag(links.event_link)
