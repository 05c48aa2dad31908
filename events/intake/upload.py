"""A body that arrives at an event loop: read piece by piece, within its limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

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

    async def read(self, receive: Receive, content_length: str) -> bytes:
        """The whole body.

        Raises ProblemError: 413 over INTERNAL_BODY_LIMIT, before anything is read where it was declared; 408 when it
        arrives too slowly; 503 when too many bytes are in flight; 400 when it is shorter than declared. Raises
        CallerGone when the connection ends.
        """
        limit: int = settings.INTERNAL_BODY_LIMIT
        declared = declared_length(content_length)
        if declared > limit:
            raise ProblemError(problems.body_too_large(limit))
        pieces: list[bytes] = []
        loop = asyncio.get_running_loop()
        latest = loop.time() + BODY_PATIENCE
        more = True
        while more:
            try:
                async with asyncio.timeout_at(min(latest, loop.time() + PIECE_PATIENCE)):
                    message = await receive()
            except TimeoutError:
                raise ProblemError(problems.body_too_slow(PIECE_PATIENCE)) from None
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
