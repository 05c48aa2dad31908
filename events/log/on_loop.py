"""Appending from an event loop: natively on PostgreSQL, through one thread on SQLite. One append at a time."""

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
from events.log.append import append_new, check_lanes
from events.log.appending import Appended, Insert, JustPruned, Look, appending, document
from events.log.faults import is_nobodys_fault, refuses_row
from events.log.postgres.arriving import APPEND, DIGESTS, KEEP_RAW, PAUSE
from events.log.postgres.binding import array, instant
from events.wakeup import bare_parameters, ring

PATIENCE = 10.0  # seconds for one append, connecting and repeating included; then its outcome is unknown
CANCEL_PATIENCE = 1.0  # seconds for the server to end by itself what took too long
LARGE = 200  # events; writing out more at a time would hold the loop up for more than a millisecond or two


class OutcomeUnknownError(psycopg.OperationalError):
    """The database did not answer in time: what was to be appended may be there or not."""


class LogOnLoop(Protocol):
    """Appends durably, one call at a time; `close` lets go of what it holds, and a later append takes it again."""

    async def append(self, events: list[NewEvent]) -> list[Appended]: ...

    async def close(self) -> None: ...


def log_on_loop(using: str = "default") -> LogOnLoop:
    """The one for the database with this alias."""
    return PostgresLog(using) if connections[using].vendor == "postgresql" else ThreadLog(using)


class ThreadLog:
    """The append of a thread, which has a connection of its own: SQLite has one writer, so one thread is enough."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="append")

    async def append(self, events: list[NewEvent]) -> list[Appended]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._append, events)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
        self._thread.shutdown()

    def _append(self, events: list[NewEvent]) -> list[Appended]:
        return append_new(events, using=self._using)


class PostgresLog:
    """One psycopg connection in autocommit, opened when it is needed, thrown away whenever it is in doubt."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._checked = False

    async def append(self, events: list[NewEvent]) -> list[Appended]:
        """Append events; what became of each, in their order.

        Raises psycopg.Error; when that is a lost connection, or OutcomeUnknownError, they may be there all the same.
        """
        work = asyncio.create_task(self._append(events))
        done, _ = await asyncio.wait({work}, timeout=PATIENCE)
        if not done:
            await self._give_up(work)
            raise OutcomeUnknownError(f"the database did not answer for {PATIENCE:g} s")
        appended = work.result()
        ring(self._using)
        return appended

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _append(self, events: list[NewEvent]) -> list[Appended]:
        if not self._checked:
            await asyncio.to_thread(self._check_lanes)
            self._checked = True
        give_up = time.monotonic() + PATIENCE
        transaction = any(event.refusal for event in events)
        while True:
            connection = await self._connected()
            try:
                if not transaction:
                    return await _run(connection, events, savepoints=False)
                async with connection.transaction():
                    return await _run(connection, events, savepoints=True)
            except (psycopg.Error, JustPruned) as error:
                if connection.closed or connection.broken:
                    await self._throw_away(connection)
                    raise
                if refuses_row(error) and not transaction:
                    transaction = True
                    continue
                lost = isinstance(error, JustPruned) or is_nobodys_fault(error, lost_connection=False)
                if not lost or time.monotonic() > give_up:
                    raise
                await asyncio.sleep(PAUSE)

    async def _throw_away(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # An append that was given up may end late, when the connection in use is another already.
        if self._connection is connection:
            self._connection = None
        await connection.close()

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        # Nothing is to be read from an idle connection, unless that the server has ended it.
        if self._connection is not None and (self._connection.closed or _readable(self._connection)):
            await self.close()
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(**bare_parameters(self._using))
        return self._connection

    async def _give_up(self, work: asyncio.Task[list[Appended]]) -> None:
        """End what waits for a server that may hang, and throw the connection away."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.closed:
            with suppress(psycopg.Error, OSError):
                # A statement that waits for a lock would go on after we have left.
                await connection.cancel_safe(timeout=CANCEL_PATIENCE)
            # Cancelled, the task would wait until the server confirms it. That the line is dead ends it at once.
            with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        await asyncio.wait({work}, timeout=CANCEL_PATIENCE)
        work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        work.cancel()
        if connection is not None:
            await connection.close()

    def _check_lanes(self) -> None:
        check_lanes(self._using)
        connections[self._using].close()


async def _run(connection: psycopg.AsyncConnection[Any], events: list[NewEvent], *, savepoints: bool) -> list[Appended]:
    """Take an append's steps: in the transaction that is open, or each as a transaction of its own."""
    steps = appending(events)
    try:
        step = next(steps)
        while True:
            try:
                answer: Any
                if isinstance(step, Look):
                    answer = await _look(connection, step)
                elif savepoints:
                    async with connection.transaction():
                        answer = await _insert(connection, step)
                else:
                    # An INSERT is a transaction by itself: one round trip, where BEGIN and COMMIT make it three.
                    answer = await _insert(connection, step)
            except psycopg.Error as error:
                if not savepoints:
                    raise
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        appended: list[Appended] = end.value
        return appended


async def _insert(connection: psycopg.AsyncConnection[Any], step: Insert) -> set[Any]:
    events = step.events
    large = len(events) > LARGE
    text = await asyncio.to_thread(_document, events) if large else _document(events)
    cursor = await connection.execute(APPEND, (text,))
    # Where all are new, nobody needs to read which.
    everything = cursor.rowcount == len(events)
    inserted = {event.event_id for event in events} if everything else {row[0] for row in await cursor.fetchall()}
    kept = [(event.raw, event.event_id) for event in events if event.refusal and event.event_id in inserted]
    if kept:
        # Pipelined: thousands of refused payloads must not cost as many round trips.
        await cursor.executemany(KEEP_RAW, kept)
    return inserted


async def _look(connection: psycopg.AsyncConnection[Any], step: Look) -> dict[Any, str]:
    cursor = await connection.execute(DIGESTS, (array(step.event_ids),))
    return dict(await cursor.fetchall())


def _document(events: list[NewEvent]) -> str:
    return document(events, instant)


def _readable(connection: psycopg.AsyncConnection[Any]) -> bool:
    line = select.poll()
    line.register(connection.fileno(), select.POLLIN)
    return bool(line.poll(0))
