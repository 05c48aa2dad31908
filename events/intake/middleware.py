"""What Django's middleware makes of a request at the lean door, worked out once for all that look alike.

It goes by Host, by the scheme, and by what the proxy says of the scheme.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

PATH = "/internal/events"
# Those that add the same headers to every such answer, and do nothing else to one of /internal.
HEADER_MIDDLEWARE = (
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
)

Headers = list[tuple[bytes, bytes]]


class Asked(HttpRequest):
    """As much of a request as the middleware looks at."""

    def __init__(self, host: bytes | None, server: tuple[str, int], scheme: str, forwarded: bytes | None) -> None:
        super().__init__()
        self.path = self.path_info = PATH
        self._scheme = scheme
        self.META = {"SERVER_NAME": server[0], "SERVER_PORT": str(server[1])}
        if host is not None:
            self.META["HTTP_HOST"] = host.decode("latin-1")
        if forwarded is not None and settings.SECURE_PROXY_SSL_HEADER:
            self.META[settings.SECURE_PROXY_SSL_HEADER[0]] = forwarded.decode("latin-1")

    def _get_scheme(self) -> str:
        return self._scheme


def scheme_header() -> str:
    """The header, in lower case, in which the proxy says what the scheme was; empty when none is believed."""
    trusted = settings.SECURE_PROXY_SSL_HEADER
    return trusted[0].removeprefix("HTTP_").replace("_", "-").lower() if trusted else ""


def common_headers(host: bytes | None, server: tuple[str, int], scheme: str, forwarded: bytes | None) -> Headers | None:
    """What the view and Django's middleware add to every answer to such a request, as the middleware writes it.

    None for one that they do not let through (a host that is not of ALLOWED_HOSTS, say): Django is to tell why.
    `forwarded` is the value of `scheme_header`.
    """
    request = Asked(host, server, scheme, forwarded)
    answer: Callable[[HttpRequest], HttpResponseBase] = _empty
    for middleware in HEADER_MIDDLEWARE:
        if middleware in settings.MIDDLEWARE:
            answer = import_string(middleware)(answer)
    try:
        request.get_host()
    except DisallowedHost:
        return None
    answered = answer(request)
    if answered.status_code != 200:
        return None
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in answered.items()]


def _empty(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(headers={"Cache-Control": "no-store", "Allow": "POST, OPTIONS"})
    del response["Content-Type"]
    return response
