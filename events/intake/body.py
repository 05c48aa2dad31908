"""A request's body: read piece by piece, with a limit that no header can talk it out of."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from events import conf
from events.intake import problems
from events.intake.problems import ProblemError

CHUNK = 65_536  # bytes


def read_body(request: HttpRequest) -> bytes:
    """The whole body.

    Raises ProblemError: 413 when it is over INTERNAL_BODY_LIMIT, before anything is parsed; 400 when the
    connection ended before the length that was declared.
    """
    limit = conf.intake.body_limit
    declared = declared_length(request.META.get("CONTENT_LENGTH") or "")
    if declared > limit:
        raise ProblemError(problems.body_too_large(limit))
    body = bytearray()
    try:
        while chunk := request.read(min(CHUNK, limit + 1 - len(body))):
            body += chunk
            if len(body) > limit:
                raise ProblemError(problems.body_too_large(limit))
    except UnreadablePostError:
        raise ProblemError(problems.body_cut_short(len(body), declared)) from None
    if len(body) < declared:
        raise ProblemError(problems.body_cut_short(len(body), declared))
    return bytes(body)


def declared_length(given: str) -> int:
    """A Content-Length in bytes; 0 when it is missing or no number."""
    try:
        return int(given or 0)
    except ValueError:
        return 0
