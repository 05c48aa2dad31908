"""A Django cache on Redis that goes on in local memory while Redis can't be trusted.

`cachecore.cache` is the public door: the default cache, looked up when it is used.
"""

from __future__ import annotations

from django.core.cache import cache

__all__ = ["cache"]
