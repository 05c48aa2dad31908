"""Dead letters over HTTP: list them, requeue them, discard them. Bounded, whatever is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog
from django.db.models import TextField
from django.db.models.functions import Cast
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from events.dead_letters import Filter
from events.exceptions import EnvelopeError
from events.intake import described
from events.intake.answer import Answer
from events.intake.body import read_body
from events.intake.internal import InternalView, response
from events.intake.selection import Selection
from events.intake.views import identity, state
from events.log.dead_letters import discard, requeue
from events.models import Event
from events.models.fields import decoded

PAGE = 100  # events, unless `limit` asks for fewer or more
LARGEST_PAGE = 500
IDS_LIMIT = 1_000  # that one request may name
BOUND = 10_000  # events that one request by filter changes; `more` says to ask again

logger = structlog.stdlib.get_logger(__name__)


class DeadLettersView(InternalView):
    """Dead letters, newest first; `next` is the address of the following page, or null."""

    @described.dead_letters
    def get(self, request: Request) -> HttpResponse:
        query = request.query_params
        limit = min(_whole(query, "limit", PAGE), LARGEST_PAGE)
        filters: dict[str, Any] = {
            name: _text(query, name) for name in ("event_type", "did", "reason") if name in query
        }
        letters = Filter(**filters).chosen().order_by("-event")
        if "before" in query:
            letters = letters.filter(event__lt=_whole(query, "before", 0))
        ids = list(letters.values_list("pk", flat=True)[: limit + 1])
        more = {**filters, "limit": limit, "before": ids[limit - 1]} if len(ids) > limit else None
        # A payload's stored text goes into the answer as it is: to encode a deeply nested one again could fail.
        events = Event.objects.with_state().defer("payload").annotate(text=Cast("payload", TextField()))
        page = events.filter(pk__in=ids[:limit], state=Event.State.DEAD).order_by("-pk")
        following = f"{reverse('events:dead-letters')}?{urlencode(more)}" if more else None
        return response(Answer.json(200, {"results": [_letter(event) for event in page], "next": following}))


class RequeueView(InternalView):
    """Makes dead letters pending again."""

    @described.requeue
    def post(self, request: Request) -> Response:
        return _change(request, "requeued", lambda ids, note: requeue(ids))


class DiscardView(InternalView):
    """Gives dead letters up, with a note that says why."""

    @described.discard
    def post(self, request: Request) -> Response:
        return _change(request, "discarded", lambda ids, note: discard(ids, note=note))


def _change(request: Request, done: str, change: Callable[[list[int], str], int]) -> Response:
    """Change the oldest BOUND dead letters of the selection; how many, and whether there are more."""
    selection = _selection(request)
    ids = list(selection.dead().order_by("pk").values_list("pk", flat=True)[: BOUND + 1])
    changed = change(ids[:BOUND], selection.note)
    # The admin's own log takes users only, and a key is none.
    chosen = selection.filter.given if selection.filter else [str(event_id) for event_id in selection.ids or ()]
    logger.info(f"dead letters {done}", events=changed, by="internal key", chosen=chosen, note=selection.note)
    return Response({done: changed, "more": len(ids) > BOUND})


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


def _whole(query: Any, name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) < 2**63):
        raise EnvelopeError(name, f"{text!r:.100}", "a whole number above 0")
    return int(text)


def _text(query: Any, name: str) -> str:
    if "\0" in query[name]:
        raise EnvelopeError(name, "a NUL character", "text without one")
    return str(query[name])


def _letter(event: Any) -> dict[str, Any]:
    """A dead letter with its payload; where Python can't decode that, with its text as `raw`."""
    undecodable = isinstance(decoded(event.text), str)
    payload = {"raw": event.text} if undecodable else {"payload": msgspec.Raw(event.text.encode())}
    return {**identity(event), **state(event), **payload}
