"""Dead letters over HTTP: list them, requeue them, discard them. Bounded, whatever is asked for."""

from __future__ import annotations

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
from events.intake.views import identity
from events.lanes import lane_of
from events.log.dead_letters import discard, requeue
from events.models import Event, Lane
from events.models.dead_letter import DeadLetterQuerySet
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
        # A payload's stored text goes into the answer as it is: to encode a deeply nested one again could fail.
        letters = (
            letters.select_related("event").defer("event__payload").annotate(text=Cast("event__payload", TextField()))
        )
        page = list(letters[: limit + 1])
        lanes = Lane.count()
        more = {**filters, "limit": limit, "before": page[limit - 1].pk} if len(page) > limit else None
        following = f"{reverse('events:dead-letters')}?{urlencode(more)}" if more else None
        return response(
            Answer.json(200, {"results": [_letter(each, lanes) for each in page[:limit]], "next": following})
        )


class RequeueView(InternalView):
    """Makes dead letters pending again."""

    @described.requeue
    def post(self, request: Request) -> Response:
        selection = _selection(request)
        ids, more = _bounded(selection.dead())
        requeued = requeue(ids)
        _tell("dead letters requeued", selection, requeued)
        return Response({"requeued": requeued, "more": more})


class DiscardView(InternalView):
    """Gives dead letters up, with a note that says why."""

    @described.discard
    def post(self, request: Request) -> Response:
        selection = _selection(request)
        ids, more = _bounded(selection.dead())
        discarded = discard(ids, note=selection.note)
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


def _bounded(letters: DeadLetterQuerySet) -> tuple[list[int], bool]:
    """The ids of the oldest BOUND letters, and whether there are more."""
    ids = list(letters.order_by("pk").values_list("pk", flat=True)[: BOUND + 1])
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


def _letter(letter: Any, lanes: int) -> dict[str, Any]:
    """A dead letter with its payload; where Python can't decode that, with its text as `raw`."""
    state = {
        "state": Event.State.DEAD.label,
        "lane": lane_of(letter.event.key, lanes),
        "attempts": letter.attempts,
        "crashes": 0,
        "error": letter.error or None,
        "reason": letter.reason or None,
        "note": letter.note or None,
        "worker": None,
        "available_at": None,
        "finished_at": letter.died_at,
    }
    undecodable = isinstance(decoded(letter.text), str)
    payload = {"raw": letter.text} if undecodable else {"payload": msgspec.Raw(letter.text.encode())}
    return {**identity(letter.event), **state, **payload}
