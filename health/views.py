"""The three tiers as DRF views. Open to everyone; numbers only for who holds the internal key."""

from __future__ import annotations

from django.conf import settings
from django.utils.crypto import constant_time_compare
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from health import answers, described, draining, lag, sampler

NO_STORE = {"Cache-Control": "no-store"}


class ProbeView(APIView):
    """No session, no user, no throttle: nothing here may touch a dependency."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()


class LiveView(ProbeView):
    """The process runs."""

    @described.live
    def get(self, request: Request) -> Response:
        return Response(answers.LIVE, headers=NO_STORE)


class ReadyView(ProbeView):
    """Whether this instance should get traffic: 200, or 503 in the status line."""

    @described.ready
    def get(self, request: Request) -> Response:
        status, body = answers.ready(sampler.read(), draining=draining.active())
        response = Response(body, status=status, headers=NO_STORE)
        # The watch has told of the outage; a line for each probe would bury it.
        response._has_been_logged = True  # type: ignore[attr-defined]  # what Django looks at
        return response


class DetailedView(ProbeView):
    """What an operator asks first; always 200."""

    @described.detailed
    def get(self, request: Request) -> Response:
        figures = settings.DEBUG or holds_key(request.headers.get("X-Internal-Key", ""))
        body = answers.detailed(
            sampler.read(), draining=draining.active(), figures=figures, event_loop=lag.read() if figures else None
        )
        return Response(body, headers=NO_STORE)


def holds_key(given: str) -> bool:
    """Whether `given` is the internal key or a former one; every key is compared, in constant time."""
    keys = [key for key in (settings.INTERNAL_API_KEY, *settings.INTERNAL_API_KEY_FALLBACKS) if key]
    matches = [constant_time_compare(given, key) for key in keys]
    return any(matches)
