"""Dead letters over HTTP: list them, requeue them, discard them. Bounded, whatever is asked for."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from events.dead_letters import Filter
from events.exceptions import EnvelopeError
from events.intake import described
from events.intake.body import read_body
from events.intake.internal import InternalView
from events.intake.selection import Selection
from events.intake.views import told
from events.models import Event

PAGE = 100  # events, unless `limit` asks for fewer or more
LARGEST_PAGE = 500
IDS_LIMIT = 1_000  # that one request may name
BOUND = 10_000  # events that one request by filter changes; `more` says to ask again

logger = structlog.stdlib.get_logger(__name__)


class DeadLettersView(InternalView):
    """Dead letters, newest first; `next` is the address of the following page, or null."""

    @described.dead_letters
    def get(self, request: Request) -> Response:
        query = request.query_params
        limit = min(_whole(query, "limit", PAGE), LARGEST_PAGE)
        filters: dict[str, Any] = {
            name: _text(query, name) for name in ("event_type", "did", "reason") if name in query
        }
        events = Filter(**filters).chosen().order_by("-id")
        if "before" in query:
            events = events.filter(id__lt=_whole(query, "before", 0))
        page = list(events[: limit + 1])
        more = {**filters, "limit": limit, "before": page[limit - 1].pk} if len(page) > limit else None
        following = f"{reverse('events:dead-letters')}?{urlencode(more)}" if more else None
        return Response({"results": [_letter(event) for event in page[:limit]], "next": following})


class RequeueView(InternalView):
    """Makes dead letters pending again. Those whose payload the log can't hold stay dead."""

    @described.requeue
    def post(self, request: Request) -> Response:
        selection = _selection(request)
        ids, more = _bounded(selection.dead().filter(raw=None))
        requeued = Event.objects.requeue(ids)
        _tell("dead letters requeued", selection, requeued)
        return Response({"requeued": requeued, "more": more})


class DiscardView(InternalView):
    """Gives dead letters up, with a note that says why."""

    @described.discard
    def post(self, request: Request) -> Response:
        selection = _selection(request)
        ids, more = _bounded(selection.dead())
        discarded = Event.objects.dead().discard(ids, note=selection.note)
        _tell("dead letters discarded", selection, discarded)
        return Response({"discarded": discarded, "more": more})


def _tell(what: str, selection: Selection, changed: int) -> None:
    """A line of the log: the admin's own log takes users only, and a key is none."""
    chosen = selection.filter.given if selection.filter else [str(event_id) for event_id in selection.ids or ()]
    logger.info(what, events=changed, by="internal key", chosen=chosen, note=selection.note)


def _selection(request: Request) -> Selection:
    try:
        selection = msgspec.json.decode(read_body(request._request), type=Selection)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeError("body", str(error), Selection.ALLOWED) from None
    if (selection.ids is None) == (selection.filter is None):
        raise EnvelopeError("body", "needs either ids or a filter", Selection.ALLOWED)
    if len(selection.ids or ()) > IDS_LIMIT:
        raise EnvelopeError("ids", f"{len(selection.ids or ()):,} ids", f"at most {IDS_LIMIT:,}", status=413)
    texts = (selection.note, *msgspec.structs.astuple(selection.filter or Filter()))
    if any("\0" in text for text in texts if isinstance(text, str)):
        raise EnvelopeError("body", "a NUL character", Selection.ALLOWED)
    return selection


def _bounded(events: QuerySet[Event]) -> tuple[list[int], bool]:
    """The ids of the oldest BOUND events, and whether there are more."""
    ids = list(events.order_by("id").values_list("id", flat=True)[: BOUND + 1])
    return ids[:BOUND], len(ids) > BOUND


def _whole(query: Any, name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) < 2**63):
        raise EnvelopeError(name, f"{text!r:.100}", "a whole number above 0")
    return int(text)


def _text(query: Any, name: str) -> str:
    if "\0" in query[name]:
        raise EnvelopeError(name, "a NUL character", "text without one")
    return str(query[name])


def _letter(event: Event) -> dict[str, Any]:
    """A dead letter with its payload; where the log can't hold that, its text as it was sent."""
    payload = {"payload": event.payload} if event.raw is None else {"raw": bytes(event.raw).decode("utf-8", "replace")}
    return {**told(event), **payload}
