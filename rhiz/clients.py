"""Who a request comes from."""

from __future__ import annotations

from django.http import HttpRequest

NAME_LENGTH = 150  # characters, of Django's own users


def address(request: HttpRequest) -> str | None:
    """The address of the connection, None where it has none (a socket file).

    Headers that anybody can write are not believed.
    """
    return request.META.get("REMOTE_ADDR") or None


def name(request: HttpRequest, credentials: dict[str, str] | None = None) -> str:
    """The name that somebody tried to log in with, as long as one may be: the throttle's table holds no more."""
    given = (credentials or {}).get("username") or request.POST.get("username", "")
    return given[:NAME_LENGTH]
