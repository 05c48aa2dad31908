"""The lean door: POST /internal/events in front of Django, whose request path costs more than all the rest.

It says what the view says, by the same core, and leaves to Django what the middleware would not let through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, TypeVar

from django.db import connections
from rest_framework.exceptions import NotAuthenticated

from events import conf
from events.intake import core, keys, problems
from events.intake.answer import Answer
from events.intake.core import Submission
from events.intake.flight import Flight, flight
from events.intake.group_commit import GroupCommit
from events.intake.middleware import PATH, common_headers, scheme_header
from events.intake.problems import Problem, ProblemError
from events.intake.rate import limiter
from events.intake.request_id import Name, chosen
from events.intake.upload import CallerGone, Message, Receive, Upload

Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
Headers = dict[bytes, bytes]
T = TypeVar("T")

HOSTS = 64  # values of Host, with the scheme, for which the common headers are kept
NOWHERE = ("unknown", 0)  # of a server that does not say where it listens
LARGE_BODY = 16_384  # bytes; a larger one is read in a thread: hostile JSON of this size takes 6 ms
LARGE_ANSWER = 200  # events
ADMISSION_PATIENCE = 5.0  # seconds for counting what is pending, when no recent count is known

NO_KEY = Problem(401, "", str(NotAuthenticated.default_detail), headers={"WWW-Authenticate": keys.HEADER})
WRONG_KEY = Problem(403, "", keys.WrongKeyError.default_detail)
CLOSING = (408, 413)  # what is left of the body is not read, so the connection can't serve another request


class IntakeDoor:
    """An ASGI application around another, which serves everything but the hot POST."""

    def __init__(self, application: Application, *, limits: Flight = flight) -> None:
        self._application = application
        self._flight = limits
        self._group_commit = GroupCommit()
        # One thread each: parsing holds the interpreter, and two that ask for a count would wait for each other.
        self._parsing = ThreadPoolExecutor(1, thread_name_prefix="intake-parse")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="intake-ask")
        self._common_headers = lru_cache(HOSTS)(common_headers)
        self._scheme_header = scheme_header().encode()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or not conf.conf.fast_door:
            await self._application(scope, receive, send)
            return
        headers = _joined(scope["headers"])
        server, scheme = tuple(scope.get("server") or NOWHERE), scope.get("scheme", "http")
        common = self._common_headers(headers.get(b"host"), server, scheme, headers.get(self._scheme_header))
        if common is None:
            await self._application(scope, receive, send)
            return
        # Not bound to the context, as the middleware does it: that takes as long as reading the event.
        name = chosen(_text(headers, b"x-request-id"), _text(headers, b"traceparent"))
        try:
            answer = await self._answer(headers, receive, name)
        except CallerGone:
            return
        start = [
            *common,
            (b"x-request-id", name.request_id.encode()),
            (b"content-length", b"%d" % len(answer.body)),
        ]
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

    async def _answer(self, headers: Headers, receive: Receive, name: Name) -> Answer:
        """The whole of one request. Raises CallerGone."""
        upload = Upload(self._flight)
        try:
            key = headers.get(b"x-internal-key", b"")
            if not key:
                return NO_KEY.answer()
            if not keys.is_key(key):
                return WRONG_KEY.answer()
            body = await upload.read(receive, _text(headers, b"content-length"))
            with self._flight:
                return await self._accept(body, headers, name)
        except ProblemError as error:
            return error.problem.answer()
        finally:
            upload.release()

    async def _accept(self, body: bytes, headers: Headers, name: Name) -> Answer:
        given = (body, _text(headers, b"content-type"), _text(headers, b"content-encoding"), name)
        submission = await self._parsed(core.read, *given) if len(body) > LARGE_BODY else core.read(*given)
        # Between reading and admission: the rate limit, which now and then asks Redis.
        number = len(submission.events)
        verdict = limiter.take_at_hand(keys.HOLDER, number)
        if verdict is None:
            verdict = await asyncio.to_thread(limiter.take, keys.HOLDER, number)
        problem, told = verdict
        try:
            if problem is not None:
                raise ProblemError(problem)
            submission = await self._counted(submission) if core.admission.stale else core.admit(submission, ask=False)
            answer = await self._append(submission)
        except ProblemError as error:
            answer = error.problem.answer()
        except core.APPEND_FAILURES as error:
            answer = core.failure(error, name).answer()
        return Answer(answer.status, told | answer.headers, answer.body)

    async def _counted(self, submission: Submission) -> Submission:
        """What is admitted after the database was asked what is pending."""
        asking = self._asking.submit(_ask, submission)
        asked = asyncio.wrap_future(asking)
        in_time = False
        try:
            in_time = bool((await asyncio.wait({asked}, timeout=ADMISSION_PATIENCE))[0])
        finally:
            if not in_time:  # or the caller has gone
                # A thread that asks goes on, and may reserve room that nobody needs any more.
                asking.add_done_callback(_settle_unused)
                asked.cancel()
        if not in_time:
            raise ProblemError(problems.database_away())
        return asked.result()

    async def _append(self, submission: Submission) -> Answer:
        # Whatever becomes of the caller, its events are committed, and count as such.
        appended = await self._group_commit.append(submission.events, partial(core.settle, submission))
        if len(submission.items) > LARGE_ANSWER:
            return await self._parsed(core.answer, submission, appended)
        return core.answer(submission, appended)

    async def _parsed(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` makes in the thread for large ones: the loop gets its turn every few milliseconds."""
        return await asyncio.get_running_loop().run_in_executor(self._parsing, work, *arguments)


def _ask(submission: Submission) -> Submission:
    try:
        return core.admit(submission)
    finally:
        connections.close_all()


def _settle_unused(asking: Future[Submission]) -> None:
    if not asking.cancelled() and asking.exception() is None:
        core.settle(asking.result(), [])


def _joined(headers: list[tuple[bytes, bytes]]) -> Headers:
    """Headers by their names, which ASGI has in lower case; those sent twice are joined, as Django does."""
    found = dict(headers)
    if len(found) < len(headers):
        found = {name: b",".join(value for other, value in headers if other == name) for name in found}
    return found


def _text(headers: Headers, name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")
