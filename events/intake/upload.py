"""A body that arrives at an event loop: read piece by piece, within its limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any

from events import conf
from events.intake import problems
from events.intake.body import declared_length
from events.intake.flight import Flight
from events.intake.problems import ProblemError

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

# A sender inside the platform needs milliseconds. These let a stalled network recover, and no one hold memory for long.
PIECE_PATIENCE = 10.0  # seconds without a byte
BODY_PATIENCE = 30.0  # seconds for the whole body


class CallerGone(Exception):
    """The connection ended before the body did."""


class Upload:
    """One request's body. Its bytes count as in flight until `release`."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._held = 0  # bytes
        self._latest = 0.0  # on the loop's clock: the whole body has to be there; 0 until it had to be waited for

    async def read(self, receive: Receive, content_length: str) -> bytes:
        """The whole body.

        Raises ProblemError: 413 over INTERNAL_BODY_LIMIT, before anything is read where it was declared; 408 when it
        arrives too slowly; 503 when too many bytes are in flight; 400 when it is shorter than declared. Raises
        CallerGone when the connection ends.
        """
        limit = conf.intake.body_limit
        declared = declared_length(content_length)
        if declared > limit:
            raise ProblemError(problems.body_too_large(limit))
        pieces: list[bytes] = []
        more = True
        while more:
            message = await self._next(receive)
            if message["type"] == "http.disconnect":
                raise CallerGone
            piece, more = message.get("body", b""), message.get("more_body", False)
            if self._held + len(piece) > limit:
                raise ProblemError(problems.body_too_large(limit))
            self._flight.hold(len(piece))
            self._held += len(piece)
            pieces.append(piece)
        if self._held < declared:
            raise ProblemError(problems.body_cut_short(self._held, declared))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def release(self) -> None:
        """Its bytes are let go of."""
        self._flight.release(self._held)
        self._held = 0

    async def _next(self, receive: Receive) -> Message:
        # A small body is there already when it is asked for. To set a clock first would take longer than to read it.
        steps = receive().__await__()
        try:
            waits_for = next(steps)
        except StopIteration as there:
            message: Message = there.value
            return message
        now = asyncio.get_running_loop().time()
        self._latest = self._latest or now + BODY_PATIENCE
        try:
            async with asyncio.timeout_at(min(self._latest, now + PIECE_PATIENCE)):
                return await _Begun(steps, waits_for)
        except TimeoutError:
            raise ProblemError(problems.body_too_slow(PIECE_PATIENCE)) from None


class _Begun:
    """What was begun to be awaited: the rest of its steps, from the one that it waits for."""

    def __init__(self, steps: Generator[Any, None, Message], waits_for: Any) -> None:
        self._steps = steps
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, None, Message]:
        try:
            yield self._waits_for
            return (yield from self._steps)
        finally:
            self._steps.close()
