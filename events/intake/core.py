"""The intake without a framework: bytes and a media type in, an Answer out. Every door calls this.

A door with an append of its own (group commit) calls `read`, the limiter, `admit`, its append, `settle` and `answer`;
others `receive`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.db import Error as DatabaseFailure
from msgspec import structs

from events import registry
from events.envelope import NewEvent, parse, parse_array, parse_lines
from events.exceptions import EnvelopeError
from events.intake import problems
from events.intake.admission import Admission, admission
from events.intake.answer import Answer
from events.intake.keys import HOLDER
from events.intake.problems import Problem, ProblemError
from events.intake.rate import limiter
from events.intake.request_id import NAMELESS, Name, current
from events.log.append import append_new
from events.log.append_protocol import Appended, JustPruned

JSON = "application/json"
LINES = "application/x-ndjson"
# Nothing was appended, or it is not known: 503, and the same request again is safe.
APPEND_FAILURES = (DatabaseFailure, psycopg.Error, JustPruned)

logger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event of a submission that is not appended, and why."""

    problem: Problem
    event_id: UUID | None = None


@dataclass(slots=True)
class Submission:
    """What one request asks to append: each item an event, or the reason why it is none."""

    items: list[NewEvent | Rejection]
    single: bool  # one event, answered by itself; else a batch, answered event by event
    name: Name = NAMELESS
    events: list[NewEvent] = field(init=False)  # those that may be appended, in their order

    def __post_init__(self) -> None:
        self.events = [item for item in self.items if isinstance(item, NewEvent)]


def receive(body: bytes, content_type: str, content_encoding: str = "") -> Answer:
    """Validate, admit, append and commit: the whole of a POST. Never raises for anything that a client can send."""
    headers: dict[str, str] = {}
    try:
        submission = read(body, content_type, content_encoding, current())
        # What is no event costs nothing. What is refused later, or was there already, does: it was work.
        problem, headers = limiter.take(HOLDER, len(submission.events))
        if problem is not None:
            raise ProblemError(problem)
        submission = admit(submission)
        events = submission.events
        appended: list[Appended] = []
        try:
            appended = append_new(events, may_split=True)
        finally:
            settle(submission, appended)
        told = answer(submission, appended)
    except ProblemError as error:
        told = error.problem.answer()
    except APPEND_FAILURES as error:
        told = failure(error, current()).answer()
    return Answer(told.status, headers | told.headers, told.body)


def read(body: bytes, content_type: str, content_encoding: str = "", name: Name = NAMELESS) -> Submission:
    """The events in `body`, which keep the request's name. Raises ProblemError if it is none of the three forms."""
    media_type = _media_type(content_type)
    if content_encoding and content_encoding.strip().lower() not in ("", "identity"):
        raise ProblemError(problems.unsupported_media_type("Content-Encoding", content_encoding, "identity"))
    try:
        if media_type == LINES:
            return Submission(_known(parse_lines(body), name), False, name)
        if body.lstrip(b" \t\r\n")[:1] == b"[":
            return Submission(_known(parse_array(body), name), False, name)
        return Submission(_known([parse(body)], name), True, name)
    except EnvelopeError as error:
        raise ProblemError(problems.not_an_event(error)) from None


def admit(submission: Submission, room: Admission | None = None, *, ask: bool = True) -> Submission:
    """The submission, with a rejection for each event that there is no room for.

    What it lets through is reserved: call `settle` afterwards. Raises ProblemError if nothing at all fits.
    Without `ask` it goes by what is known, and never waits for the database.
    """
    room = room or admission
    events = submission.events
    fits = room.reserve([event.priority for event in events], ask=ask)
    if all(fits):
        return submission
    problem = problems.at_capacity(room.retry_after(fits.count(False)))
    if not any(fits):
        raise ProblemError(problem)
    verdicts = iter(fits)
    items: list[NewEvent | Rejection] = [
        item if isinstance(item, Rejection) or next(verdicts) else Rejection(problem, item.event_id)
        for item in submission.items
    ]
    return Submission(items, submission.single, submission.name)


def settle(submission: Submission, appended: list[Appended], room: Admission | None = None) -> None:
    """Tell admission what became of an admitted submission; `appended` is empty when the append failed."""
    events = submission.events
    enqueued = sum(result.status == "enqueued" for result in appended)
    (room or admission).settle(len(events), enqueued)


def failure(error: Exception, name: Name) -> Problem:
    """The problem that one of APPEND_FAILURES is to the caller."""
    logger.warning("events were not appended", error=f"{type(error).__name__}: {error}", request_id=name.request_id)
    return problems.database_away()


def answer(submission: Submission, appended: list[Appended]) -> Answer:
    """The answer to the caller; `appended` is what became of `submission.events`, in their order."""
    outcomes = _outcomes(submission, appended)
    if appended and all(each.status == "locked" for each in appended) and len(appended) == len(outcomes):
        return problems.locked(appended[0].event_id).answer()
    if submission.single:
        [outcome] = outcomes
        if isinstance(outcome, Rejection):
            return outcome.problem.answer()
        status = 202 if outcome.status == "enqueued" else 200
        return Answer.json(status, {"status": outcome.status, "event_id": outcome.event_id})
    enqueued = sum(isinstance(outcome, Appended) and outcome.status == "enqueued" for outcome in outcomes)
    rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejection)]
    content = {
        "enqueued": enqueued,
        "duplicates": len(outcomes) - enqueued - len(rejected),
        "rejected": len(rejected),
        "results": [_result(index, outcome) for index, outcome in enumerate(outcomes)],
    }
    headers = {name: value for rejection in rejected for name, value in rejection.problem.headers.items()}
    return Answer.json(207 if rejected else 202, content, headers)


def _outcomes(submission: Submission, appended: list[Appended]) -> list[Appended | Rejection]:
    results = iter(appended)
    outcomes: list[Appended | Rejection] = []
    for item in submission.items:
        outcome = item if isinstance(item, Rejection) else next(results)
        if isinstance(outcome, Appended) and outcome.status == "conflict":
            told = {"event_id": str(outcome.event_id), "request_id": submission.name.request_id}
            logger.warning("event was sent again with another content", **told)
            outcome = Rejection(problems.conflict(outcome.event_id), outcome.event_id)
        elif isinstance(outcome, Appended) and outcome.status == "locked":
            outcome = Rejection(problems.locked(outcome.event_id), outcome.event_id)
        outcomes.append(outcome)
    return outcomes


def _result(index: int, outcome: Appended | Rejection) -> dict[str, Any]:
    if isinstance(outcome, Appended):
        return {"index": index, "status": outcome.status, "event_id": outcome.event_id, "error": None}
    return {"index": index, "status": "rejected", "event_id": outcome.event_id, "error": outcome.problem.content}


def _known(events: Iterable[NewEvent | EnvelopeError], name: Name) -> list[NewEvent | Rejection]:
    """Each event whose type has a processor, under the request's name; a rejection in the place of every other."""
    known = registry.known_types()
    items: list[NewEvent | Rejection] = []
    for event in events:
        if isinstance(event, EnvelopeError):
            items.append(Rejection(problems.not_an_event(event)))
        elif event.event_type not in known:
            error = EnvelopeError("event_type", f"{event.event_type!r} is unknown", ", ".join(sorted(known)))
            items.append(Rejection(problems.not_an_event(error), event.event_id))
        else:
            items.append(structs.replace(event, request_id=name.request_id or None, traceparent=name.traceparent))
    return items


@lru_cache(64)  # callers send the same one always; what is refused is not kept
def _media_type(content_type: str) -> str:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [value.strip('" ') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    if media_type not in (JSON, LINES) or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise ProblemError(
            problems.unsupported_media_type("Content-Type", content_type, f"{JSON} or {LINES}, in UTF-8")
        )
    return media_type
