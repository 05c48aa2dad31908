"""POST /internal/events, and what can be asked about one event or all of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from events import stats
from events.intake import core, described
from events.intake.body import read_body
from events.intake.flight import flight
from events.intake.internal import InternalView, response
from events.models import Attempt, Event


class EventsView(InternalView):
    """Accepts one event, a JSON array of them, or newline-delimited JSON; answers after COMMIT."""

    @described.post_events
    def post(self, request: Request) -> HttpResponse:
        body = read_body(request._request)
        headers = request.headers
        # The server has more threads than the database takes appends at once: the others are refused, not queued.
        with flight:
            return response(core.receive(body, headers.get("Content-Type", ""), headers.get("Content-Encoding", "")))


class MetricsView(InternalView):
    """The pipeline's figures, of the last second; `/metrics` tells the same ones to Prometheus."""

    @described.metrics
    def get(self, request: Request) -> Response:
        return Response(stats.pipeline_metrics(stats.recent.read()))


class EventView(InternalView):
    """What became of one event."""

    @described.event
    def get(self, request: Request, event_id: UUID) -> Response:
        event: Any = get_object_or_404(Event.objects.with_state().defer("payload"), event_id=event_id)
        failures = [_failure(attempt) for attempt in event.failures.order_by("id")]
        return Response({**identity(event), **state(event), "failures": failures})


class NothingView(InternalView):
    """Any other address under /internal: a problem as everywhere here, once the caller has shown the key."""

    schema = None  # not in the OpenAPI document

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404


def identity(event: Event) -> dict[str, Any]:
    """What an event was sent with, except its payload."""
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "did": event.did,
        "priority": event.priority,
        "request_id": event.request_id,
        "traceparent": event.traceparent,
        "rev": event.rev,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
    }


def state(event: Any) -> dict[str, Any]:
    """What became of an event that `with_state` has read."""
    return {
        "state": Event.State(event.state).label,
        "lane": event.lane,
        "attempts": event.attempts,
        "crashes": event.crashes,
        "error": event.error or None,
        "reason": event.reason or None,
        "note": event.note or None,
        "worker": event.worker or None,
        "available_at": event.available_at,
        "finished_at": event.finished_at,
    }


def _failure(attempt: Attempt) -> dict[str, Any]:
    """One failed attempt, without its traceback: the last one stands in `error`."""
    return {
        "attempt": attempt.number,
        "at": attempt.at,
        "worker": attempt.worker,
        "type": attempt.kind,
        "message": attempt.message,
    }
