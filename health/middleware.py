"""Probes address an instance by its number, so their Host header is not asked for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.middleware import common

from health.paths import is_probe


class CommonMiddleware(common.CommonMiddleware):
    """Django's, except that a probe's Host header is never compared with ALLOWED_HOSTS."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if is_probe(request.path_info) else super().process_request(request)
