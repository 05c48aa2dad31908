"""Group commit: what arrives while one commit runs goes into the next, and each caller is answered after its own.

The flush is a task of its own: the events of a caller that goes away are committed all the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import structlog

from events.envelope import NewEvent
from events.log.append_async import AsyncLog, OutcomeUnknownError, async_log
from events.log.append_protocol import Appended

ROWS_LIMIT = 5_000  # in one group, unless one caller alone has more
BYTES_LIMIT = 8_000_000  # of payloads in one group, unless one caller alone has more

logger = structlog.stdlib.get_logger(__name__)


Settle = Callable[[list[Appended]], None]


class Waiting(NamedTuple):
    """One caller's events, and where the answer goes."""

    events: list[NewEvent]
    size: int  # bytes of payloads
    settle: Settle  # called with the same, or with nothing after a failure, even if the caller has gone
    heard: asyncio.Future[list[Appended]]


class GroupCommit:
    """Appends for many callers at once, on one event loop."""

    def __init__(self, log: AsyncLog | None = None) -> None:
        self._log = log
        self._queue: deque[Waiting] = deque()
        self._flush: asyncio.Task[None] | None = None
        self._latest = 0  # callers in the latest group

    def append(self, events: list[NewEvent], settle: Settle = lambda became: None) -> asyncio.Future[list[Appended]]:
        """What becomes of `events`, after the COMMIT of their group, and after `settle` was called with the same.

        Callers are served in the order of their calls. The future has the database's error when it failed. Cancelling
        it changes nothing for the events.
        """
        heard: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        if not events:
            settle([])
            heard.set_result([])
            return heard
        self._queue.append(Waiting(events, sum(len(event.payload) for event in events), settle, heard))
        if self._flush is None:
            self._flush = asyncio.create_task(self._flush_all())
        return heard

    async def close(self) -> None:
        """Commit what was taken, then close the connection. A later append opens another."""
        while self._flush is not None:
            await asyncio.shield(self._flush)
        if self._log is not None:
            log, self._log = self._log, None
            await log.close()

    async def _flush_all(self) -> None:
        try:
            while self._queue:
                await self._commit(self._next_group())
        finally:
            self._flush = None

    def _next_group(self) -> list[Waiting]:
        group: list[Waiting] = []
        rows = size = 0
        # Half of those who keep sending. While these are committed the loop has the other half to read and to answer;
        # with all of them in one group it would idle for as long as a commit takes.
        callers = (len(self._queue) + self._latest + 1) // 2
        while self._queue and len(group) < callers:
            waiting = self._queue[0]
            rows, size = rows + len(waiting.events), size + waiting.size
            if group and (rows > ROWS_LIMIT or size > BYTES_LIMIT):
                break
            group.append(self._queue.popleft())
        self._latest = len(group)
        return group

    async def _commit(self, group: list[Waiting]) -> None:
        try:
            self._log = self._log or async_log()
            appended = await self._log.append([event for waiting in group for event in waiting.events])
        except asyncio.CancelledError:
            # The loop is being closed: no answer will come.
            self._refuse([*group, *self._queue], OutcomeUnknownError("the append was cut off"))
            self._queue.clear()
            raise
        except Exception as error:
            logger.exception("a group of events was not appended", requests=len(group))
            if isinstance(error, OutcomeUnknownError):
                # The others have waited as long for the same server, and do not wait again.
                group += self._queue
                self._queue.clear()
            self._refuse(group, error)
            return
        at = 0
        for waiting in group:
            became = appended[at : at + len(waiting.events)]
            at += len(waiting.events)
            waiting.settle(became)
            if not waiting.heard.done():
                waiting.heard.set_result(became)

    def _refuse(self, group: list[Waiting], error: Exception) -> None:
        for waiting in group:
            waiting.settle([])
            if not waiting.heard.done():
                waiting.heard.set_exception(error)
