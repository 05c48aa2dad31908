"""Append from an event loop: natively on PostgreSQL, through one thread on SQLite. One append at a time."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

import psycopg
from django.db import connections

from events.envelope import NewEvent
from events.log.append import PATIENCE, PAUSE, append_new
from events.log.append_protocol import Append, Appended, FetchDigests, JustPruned, Pause, Step, document
from events.log.database import array, bound, instant
from events.log.errors import is_contention
from events.wakeup import bare_parameters, notify

TIMEOUT = 10.0  # seconds for one append, connecting and repeating included; then its outcome is unknown
ABANDONED = 3  # appends whose outcome the server still owes; beyond them none is begun
CLOSING = 1.0  # seconds for abandoned appends to end once their lines are cut
LARGE = 200  # events; writing out more at a time would hold the loop up for more than a millisecond or two


class OutcomeUnknownError(psycopg.OperationalError):
    """The database did not answer in time: what was to be appended may be there or not."""


class TooManyAbandonedError(psycopg.OperationalError):
    """Former appends are still without an answer: nothing was begun."""


class AsyncLog(Protocol):
    """Appends durably, one call at a time, until `close`."""

    async def append(self, events: list[NewEvent]) -> list[Appended]: ...

    async def close(self) -> None: ...


def async_log() -> AsyncLog:
    """The one for the database."""
    return PostgresLog() if connections["default"].vendor == "postgresql" else ThreadLog()


class ThreadLog:
    """The append of a thread, which has a connection of its own: SQLite has one writer, so one thread is enough."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="append")

    async def append(self, events: list[NewEvent]) -> list[Appended]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, append_new, events)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
        self._thread.shutdown()


class PostgresLog:
    """One psycopg connection in autocommit, opened when it is needed, replaced whenever it is in doubt.

    An append that takes too long is abandoned, not cancelled: a commit that waits for its synchronous standby and is
    cancelled becomes visible without being replicated. Its connection ends with it.
    """

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._abandoned: dict[asyncio.Task[list[Appended]], psycopg.AsyncConnection[Any] | None] = {}

    async def append(self, events: list[NewEvent]) -> list[Appended]:
        """Append events; what became of each, in their order.

        Raises psycopg.Error; when that is a lost connection, or OutcomeUnknownError, they may be there all the same.
        """
        if len(self._abandoned) >= ABANDONED:
            raise TooManyAbandonedError(f"the database has not answered {ABANDONED} appends")
        work = asyncio.create_task(self._append(events))
        done, _ = await asyncio.wait({work}, timeout=TIMEOUT)
        if not done:
            self._abandon(work)
            raise OutcomeUnknownError(f"the database did not answer for {TIMEOUT:g} s")
        appended = work.result()
        notify()
        return appended

    async def close(self) -> None:
        """Close the connections. An append that is still abandoned loses its line, which does not cancel it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        for abandoned in self._abandoned.values():
            if abandoned is not None and not abandoned.closed:
                with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(abandoned.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=CLOSING)

    async def _append(self, events: list[NewEvent]) -> list[Appended]:
        append = Append(events, may_split=True)
        end = time.monotonic() + TIMEOUT
        while True:
            connection = await self._connected()
            try:
                return await self._run(connection, append)
            except (psycopg.Error, JustPruned) as error:
                if connection.closed or connection.broken:
                    await self._discard(connection)
                    raise
                lost = isinstance(error, JustPruned) or is_contention(error)
                if not lost or time.monotonic() > end:
                    raise
                await asyncio.sleep(PAUSE["postgresql"])

    async def _run(self, connection: psycopg.AsyncConnection[Any], append: Append) -> list[Appended]:
        """Run an append's steps, each a transaction by itself: one round trip, where BEGIN and COMMIT make it three."""
        steps = append.steps()
        answer: Any = None
        try:
            while True:
                step = steps.send(answer)
                answer = await _answer(connection, step)
                self._stop_if_abandoned()
        except StopIteration as end:
            appended: list[Appended] = end.value
            return appended

    def _abandon(self, work: asyncio.Task[list[Appended]]) -> None:
        """Leave an append to its server, and its connection to it."""
        self._abandoned[work], self._connection = self._connection, None
        work.add_done_callback(self._answered_late)

    def _answered_late(self, work: asyncio.Task[list[Appended]]) -> None:
        connection = self._abandoned.pop(work)
        if connection is not None:
            connection.pgconn.finish()
        if not work.cancelled():
            work.exception()  # it is read, and no one else waits for it

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        self._stop_if_abandoned()
        # Nothing is to be read from an idle connection, unless that the server has ended it.
        if self._connection is not None and (self._connection.closed or _readable(self._connection)):
            await self._discard(self._connection)
        if self._connection is None:
            connection = await psycopg.AsyncConnection.connect(
                **bare_parameters(), cursor_factory=psycopg.AsyncRawCursor
            )
            try:
                self._stop_if_abandoned()
            except OutcomeUnknownError:
                await connection.close()
                raise
            self._connection = connection
        return self._connection

    def _stop_if_abandoned(self) -> None:
        """End an append that goes on after its callers were answered."""
        if asyncio.current_task() in self._abandoned:
            raise OutcomeUnknownError("the append was abandoned")

    async def _discard(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # An abandoned append may end late, when the connection in use is another already.
        if self._connection is connection:
            self._connection = None
        await connection.close()


async def _answer(connection: psycopg.AsyncConnection[Any], step: Step) -> Any:
    """What the database answers to one step."""
    if isinstance(step, Pause):
        return await asyncio.sleep(step.seconds)
    if isinstance(step, FetchDigests):
        cursor = await connection.execute(*bound("digests", {"event_ids": array(step.event_ids)}))
        return dict(await cursor.fetchall())
    events = step.events
    text = await asyncio.to_thread(document, events, instant) if len(events) > LARGE else document(events, instant)
    try:
        cursor = await connection.execute(*bound("append", {"document": text, "patience": PATIENCE}))
    except psycopg.errors.LockNotAvailable:
        return None
    # Where all are new, which ones need not be read.
    if cursor.rowcount == len(events):
        return {event.event_id for event in events}
    return {row[0] for row in await cursor.fetchall()}


def _readable(connection: psycopg.AsyncConnection[Any]) -> bool:
    line = select.poll()
    line.register(connection.fileno(), select.POLLIN)
    return bool(line.poll(0))
