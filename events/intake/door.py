"""The lean door: POST /internal/events in front of Django, whose request path costs more than all the rest.

It says what the view says, by the same core. What it does not do: look at Host, which guards pages and not a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from rest_framework.exceptions import NotAuthenticated

from events.intake import core, keys, problems
from events.intake.answer import Answer
from events.intake.core import Submission
from events.intake.flight import Flight, flight
from events.intake.group_commit import GroupCommit
from events.intake.problems import Problem, ProblemError
from events.intake.rate import Verdict, limiter
from events.intake.request_id import naming
from events.intake.upload import CallerGone, Message, Receive, Upload
from events.log.appending import Appended

Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
T = TypeVar("T")

PATH = "/internal/events"
LARGE_BODY = 16_384  # bytes; a larger one is read in a thread: hostile JSON of this size takes 6 ms
LARGE_ANSWER = 200  # events
ADMISSION_PATIENCE = 5.0  # seconds for counting what is pending, when no recent count is known

NO_KEY = Problem(401, "", str(NotAuthenticated.default_detail), headers={"WWW-Authenticate": keys.HEADER})
WRONG_KEY = Problem(403, "", keys.WrongKeyError.default_detail)
# Those that add the same headers to every answer, and do nothing else to one of /internal.
HEADER_MIDDLEWARE = (
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
)
CLOSING = (408, 413)  # what is left of the body is not read, so the connection can't serve another request

logger = structlog.stdlib.get_logger(__name__)


class IntakeDoor:
    """An ASGI application around another, which serves everything but the hot POST."""

    def __init__(self, application: Application, *, limits: Flight = flight) -> None:
        self._application = application
        self._flight = limits
        self._group_commit = GroupCommit()
        # One thread each: parsing holds the interpreter, and two that ask for a count would wait for each other.
        self._parsing = ThreadPoolExecutor(1, thread_name_prefix="intake-parse")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="intake-ask")
        self._headers = _common_headers()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"] != PATH
            or scope["method"] != "POST"
            or not settings.EVENT_FAST_DOOR
        ):
            await self._application(scope, receive, send)
            return
        headers = _joined(scope["headers"])
        with naming(headers.get("x-request-id", ""), headers.get("traceparent", "")) as name:
            try:
                answer = await self._answer(headers, receive)
            except CallerGone:
                return
        start = [*self._headers, (b"x-request-id", name.encode()), (b"content-length", b"%d" % len(answer.body))]
        start += [(key.lower().encode(), value.encode("latin-1")) for key, value in answer.headers.items()]
        if answer.status in CLOSING:
            start.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": start})
        await send({"type": "http.response.body", "body": answer.body})

    async def close(self) -> None:
        """Commit and answer what was accepted, then let go of the database."""
        await self._group_commit.close()
        self._parsing.shutdown(wait=False)
        self._asking.shutdown(wait=False)

    async def _answer(self, headers: dict[str, str], receive: Receive) -> Answer:
        """The whole of one request. Raises CallerGone."""
        upload = Upload(self._flight)
        try:
            key = headers.get("x-internal-key", "")
            if not key:
                return NO_KEY.answer()
            if not keys.is_key(key.encode("latin-1")):
                return WRONG_KEY.answer()
            body = await upload.read(receive, headers.get("content-length", ""))
            with self._flight.place():
                return await self._accept(body, headers)
        except ProblemError as error:
            return error.problem.answer()
        finally:
            upload.release()

    async def _accept(self, body: bytes, headers: dict[str, str]) -> Answer:
        given = (body, headers.get("content-type", ""), headers.get("content-encoding", ""))
        submission = await self._parsed(core.read, *given) if len(body) > LARGE_BODY else core.read(*given)
        problem, told = await _take_from_limit(len(submission.events))
        try:
            if problem is not None:
                raise ProblemError(problem)
            answer = await self._append(await self._admit(submission))
        except ProblemError as error:
            answer = error.problem.answer()
        except core.DATABASE_FAILURES:
            logger.warning("events were not appended: the database failed", exc_info=True)
            answer = problems.database_away().answer()
        return answer._replace(headers=told | answer.headers)

    async def _admit(self, submission: Submission) -> Submission:
        if not core.admission.stale:
            return core.admit(submission)
        asked = asyncio.get_running_loop().run_in_executor(self._asking, _ask, submission)
        done, _ = await asyncio.wait({asked}, timeout=ADMISSION_PATIENCE)
        if not done and not asked.cancel():
            # It goes on, and may reserve room that nobody needs any more.
            asked.add_done_callback(_settle_unused)
        if not done:
            raise ProblemError(problems.database_away())
        return asked.result()

    async def _append(self, submission: Submission) -> Answer:
        waiting = self._group_commit.append(submission.events)
        # Whatever becomes of the caller, its events are committed, and count as such.
        waiting.add_done_callback(lambda heard: core.settle(submission, _result(heard)))
        appended = await asyncio.shield(waiting)
        if len(submission.items) > LARGE_ANSWER:
            return await self._parsed(core.answer, submission, appended)
        return core.answer(submission, appended)

    async def _parsed(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` makes in the thread for large ones: the loop gets its turn every few milliseconds."""
        run = copy_context().run  # the request's name goes along
        return await asyncio.get_running_loop().run_in_executor(self._parsing, run, work, *arguments)


async def _take_from_limit(events: int) -> Verdict:
    """Between reading and admission: the rate limit, which now and then asks Redis."""
    if limiter.ready(keys.HOLDER, events):
        return limiter.take(keys.HOLDER, events)
    return await asyncio.to_thread(limiter.take, keys.HOLDER, events)


def _ask(submission: Submission) -> Submission:
    try:
        return core.admit(submission)
    finally:
        connections.close_all()


def _settle_unused(asked: asyncio.Future[Submission]) -> None:
    if not asked.cancelled() and asked.exception() is None:
        core.settle(asked.result(), [])


def _result(heard: asyncio.Future[list[Appended]]) -> list[Appended]:
    return [] if heard.cancelled() or heard.exception() is not None else heard.result()


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case; those sent twice are joined, as Django does."""
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


def _common_headers() -> list[tuple[bytes, bytes]]:
    """What the view and Django's middleware add to every answer, as the middleware itself writes it."""
    request = HttpRequest()
    request.path = PATH
    answer: Callable[[HttpRequest], HttpResponseBase] = _empty
    for middleware in HEADER_MIDDLEWARE:
        if middleware in settings.MIDDLEWARE:
            answer = import_string(middleware)(answer)
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in answer(request).items()]


def _empty(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(headers={"Cache-Control": "no-store", "Allow": "POST, OPTIONS"})
    del response["Content-Type"]
    return response
