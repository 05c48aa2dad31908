"""Every refusal that a caller can meet, as RFC 9457 problem details: one function a kind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from uuid import UUID

from events.exceptions import EnvelopeError, EventError
from events.intake.answer import Answer

CONTENT_TYPE = "application/problem+json"
DATABASE_RETRY = 2  # seconds
BUSY_RETRY = 1  # seconds: a group takes milliseconds to commit


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal; `members` are told beside the standard ones, `headers` go with the status line."""

    status: int
    kind: str  # the last part of `type`; empty: the status says it all
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """The problem's members, as they stand in a body or in one result of a batch."""
        return {
            "type": f"urn:rhiz:problem:{self.kind}" if self.kind else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def answer(self) -> Answer:
        """The whole response."""
        return Answer.json(self.status, self.content, {**self.headers, "Content-Type": CONTENT_TYPE})


class ProblemError(EventError):
    """A request ends here, with this problem as its answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def not_an_event(error: EnvelopeError) -> Problem:
    """400, or 413 for a payload or a number of events over its limit: which field, what was wrong, what is allowed."""
    kind = "too-large" if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "not-an-event"
    members = {"field": error.field, "problem": error.problem, "allowed": error.allowed}
    return Problem(error.status, kind, str(error), members)


def bad_parameter(name: str, problem: str, allowed: str) -> Problem:
    """400: a part of the address can't be used: which, what was wrong, what is allowed."""
    members = {"field": name, "problem": problem, "allowed": allowed}
    return Problem(400, "bad-parameter", f"{name}: {problem}; allowed: {allowed}", members)


def body_too_large(limit: int) -> Problem:
    """413: the body has more than `limit` bytes."""
    allowed = f"at most {limit:,} bytes"
    members = {"field": "body", "problem": f"more than {limit:,} bytes", "allowed": allowed}
    return Problem(413, "too-large", f"body: too large; allowed: {allowed}", members)


def body_cut_short(received: int, declared: int) -> Problem:
    """400: the connection ended before the body did."""
    problem, allowed = f"ended after {received:,} bytes", f"the {declared:,} bytes of Content-Length"
    members = {"field": "body", "problem": problem, "allowed": allowed}
    return Problem(400, "not-an-event", f"body: {problem}; allowed: {allowed}", members)


def unsupported_media_type(name: str, given: str, allowed: str) -> Problem:
    """415: header `name` says what can't be read."""
    members = {"field": name, "problem": given[:200] or "missing", "allowed": allowed}
    return Problem(415, "media-type", f"{name}: {given[:200] or 'missing'}; allowed: {allowed}", members)


def conflict(event_id: UUID) -> Problem:
    """409: the log has another event under this id."""
    detail = f"event_id: {event_id} is taken by an event with another content; allowed: a new event_id"
    return Problem(409, "conflict", detail, {"field": "event_id", "event_id": str(event_id)})


def rate_limited(retry_after: int, limit: int, seconds: int, *, split: bool = False) -> Problem:
    """429: more than `limit` events in so many `seconds`; come back in `retry_after` seconds.

    `split`: as many as were sent never fit at once.
    """
    detail = f"more than {limit:,} events in {seconds:,} s; try again in {retry_after} s"
    members: dict[str, Any] = {"retry_after": retry_after}
    if split:
        members["allowed"] = f"at most {limit:,} events at once"
        detail += f", with {members['allowed']}"
    return Problem(429, "rate-limited", detail, members, {"Retry-After": str(retry_after)})


def at_capacity(retry_after: int) -> Problem:
    """503: too much is pending; come back in `retry_after` seconds."""
    detail = f"too many events are pending; try again in {retry_after} s"
    return _come_back("at-capacity", detail, retry_after)


def database_away() -> Problem:
    """503: the database did not answer, or its answer was lost; repeating the request is safe."""
    detail = f"the database can't be reached; try again in {DATABASE_RETRY} s, with the same event_id"
    return _come_back("database-away", detail, DATABASE_RETRY)


def locked(event_id: UUID) -> Problem:
    """503: an open transaction holds this event_id, or that of an earlier event of the same DID."""
    detail = (
        f"another transaction is still writing this event or an earlier one of its did; try again in {BUSY_RETRY} s"
    )
    problem = _come_back("locked", detail, BUSY_RETRY)
    return replace(problem, members={**problem.members, "event_id": str(event_id)})


def too_busy() -> Problem:
    """503: this process has as many requests, or bytes of them, in hand as it takes; nothing was read into the log."""
    detail = f"too many requests wait for their commit; try again in {BUSY_RETRY} s"
    return _come_back("too-busy", detail, BUSY_RETRY)


def body_too_slow(seconds: float) -> Problem:
    """408: the body, or the next piece of it, did not arrive within `seconds`."""
    allowed = f"a piece every {seconds:g} s, and the whole soon after"
    members = {"field": "body", "problem": "it arrives too slowly", "allowed": allowed}
    return Problem(408, "too-slow", f"body: it arrives too slowly; allowed: {allowed}", members)


def _come_back(kind: str, detail: str, seconds: int) -> Problem:
    return Problem(503, kind, detail, {"retry_after": seconds}, {"Retry-After": str(seconds)})
