"""Texts and addresses in pages for operators."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import template

from events.visible import last_line, visible

register = template.Library()
register.filter("visible", visible)
register.filter("last_line", last_line)


@register.simple_tag
def query(**fields: Any) -> str:
    """Fields as the query of an address."""
    return urlencode(fields)
