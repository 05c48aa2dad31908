"""The name of a request: from its sender where he gives one, answered back, in every line logged meanwhile.

The events of a request keep it, so that a worker's line about one of them leads back to the request.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from structlog.contextvars import bound_contextvars, get_contextvars

from events.traceparent import trace_id, well_formed

HEADER = "X-Request-ID"

_fits = re.compile(r"[A-Za-z0-9._:/+=@-]{1,64}").fullmatch  # one plain word, as long as the log's column


class Name(NamedTuple):
    """What a request is called, and the well-formed traceparent that it came with."""

    request_id: str = ""
    traceparent: str | None = None


NAMELESS = Name()


def chosen(request_id: str, traceparent: str) -> Name:
    """What a request with these headers is called: by its `X-Request-ID`, else the trace of its `traceparent`, else by
    a name of ours.
    """
    trace = well_formed(traceparent) if traceparent else None
    if not _fits(request_id):
        # It has to differ, not to be a secret; asking the system for randomness takes ten times as long.
        request_id = trace_id(trace) if trace else f"{random.getrandbits(128):032x}"
    return Name(request_id, trace)


def current() -> Name:
    """The name of the request that is being answered; NAMELESS outside of requests."""
    bound = get_contextvars()
    return Name(bound.get("request_id", ""), bound.get("traceparent"))


@contextmanager
def _named(request: HttpRequest) -> Iterator[Name]:
    name = chosen(request.headers.get(HEADER, ""), request.headers.get("traceparent", ""))
    with bound_contextvars(**{key: value for key, value in name._asdict().items() if value}):
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


def _told(response: HttpResponseBase, name: Name) -> HttpResponseBase:
    response[HEADER] = name.request_id
    return response
