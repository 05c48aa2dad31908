"""Numbers and times as people read them, in pages for operators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import template
from django.utils import timezone
from django.utils.timesince import timesince

from events.visible import last_line, visible

register = template.Library()
register.filter("visible", visible)
register.filter("last_line", last_line)

A_MINUTE = timedelta(minutes=1)


@register.filter
def thousands(number: int) -> str:
    """12345 as 12,345."""
    return f"{number:,}"


@register.filter
def unlocalize(number: int) -> str:
    """A number as a machine reads it, whatever the language."""
    return str(number)


@register.filter
def ago(moment: datetime) -> str:
    """How long ago a moment was, in its largest unit."""
    return "just now" if timezone.now() - moment < A_MINUTE else f"{timesince(moment, depth=1)} ago"


@register.simple_tag
def query(**fields: Any) -> str:
    """Fields as the query of an address."""
    return urlencode(fields)
