"""The name of a request: from its sender where he gives one, answered back, in every line logged meanwhile.

The events of a request keep it, so that a worker's line about one of them leads back to the request.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from structlog.contextvars import bound_contextvars, get_contextvars

from events.traceparent import trace_id, well_formed

HEADER = "X-Request-ID"

_fits = re.compile(r"[A-Za-z0-9._:/+=@-]{1,64}").fullmatch  # one plain word, as long as the log's column


def chosen(request_id: str, traceparent: str) -> str:
    """What a request is called: its `X-Request-ID`, else the trace of its `traceparent`, else a name of ours."""
    if _fits(request_id):
        return request_id
    trace = well_formed(traceparent)
    return trace_id(trace) if trace else uuid.uuid4().hex


def current() -> str | None:
    """The name of the request that is being answered; None outside of requests."""
    given: str | None = get_contextvars().get("request_id")
    return given


def current_trace() -> str | None:
    """The traceparent that this request came with; None without a well-formed one."""
    given: str | None = get_contextvars().get("traceparent")
    return given


@contextmanager
def naming(request_id: str, traceparent: str) -> Iterator[str]:
    """Names the request that the block answers, by what its headers hold; a door without middleware uses this too."""
    name, trace = chosen(request_id, traceparent), well_formed(traceparent)
    with bound_contextvars(request_id=name, **({"traceparent": trace} if trace else {})):
        yield name


@sync_and_async_middleware
def named_requests(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware that names each request."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            with _named(request) as name:
                return _told(await get_response(request), name)

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        with _named(request) as name:
            return _told(get_response(request), name)

    return answer


def _named(request: HttpRequest) -> AbstractContextManager[str]:
    return naming(request.headers.get(HEADER, ""), request.headers.get("traceparent", ""))


def _told(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response[HEADER] = name
    return response
