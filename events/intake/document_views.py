"""The OpenAPI document under /internal/schema, and pages to read it by under /internal/docs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from events.intake.internal import InternalView

# Everything comes from this host. Swagger UI's own style sheet holds small pictures as data, and it sets styles from
# its script, which this allows; nothing is inline.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class SchemaView(InternalView, SpectacularAPIView):
    """The document: YAML, or JSON for who accepts `application/vnd.oai.openapi+json`."""


class DocsView(InternalView):
    """Swagger UI, from this host alone."""

    schema = None

    def get(self, request: Request) -> HttpResponseBase:
        page: HttpRequest = request._request
        response: HttpResponse = render(page, "events/docs.html")
        response["Content-Security-Policy"] = POLICY
        return response
