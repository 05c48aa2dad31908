"""Appending from an event loop to a PostgreSQL that holds locks, freezes, or waits for its standby."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection

from events.envelope import NewEvent, from_mapping
from events.log import append_async, append_protocol
from events.log.append_async import OutcomeUnknownError, PostgresLog, TooManyAbandonedError
from events.wakeup import bare_connection
from tests.events.statements import WAITING_FOR_THE_LOG, append_in
from tests.integration.conftest import ROOT
from tests.servers import PostgreSQL

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def new(did: str = "did:plc:a", event_id: UUID | None = None) -> NewEvent:
    return from_mapping({"event_type": "test.record", "did": did, "payload": {}, "event_id": event_id or uuid4()})


@contextmanager
def held(*events: NewEvent) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that has inserted these events and stays open."""
    with bare_connection() as session:
        session.autocommit = False
        append_in(session, *events)
        yield session
        session.rollback()


@pytest.fixture
def log() -> PostgresLog:
    return PostgresLog()


async def append(log: PostgresLog, events: list[NewEvent]) -> list[str]:
    try:
        return [appended.status for appended in await log.append(events)]
    finally:
        await log.close()


async def test_event_ids_that_an_open_transaction_holds_refuse_those_and_what_follows_them_in_their_did(
    log: PostgresLog,
) -> None:
    first, blocked, behind, other = new(), new(), new(), new("did:plc:b")
    with held(blocked):
        statuses = await append(log, [first, blocked, behind, other])
    assert statuses == ["enqueued", "locked", "locked", "enqueued"]


async def test_what_a_group_waits_for_is_appended_when_the_transaction_ends_in_time(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_back, committed = new(), new("did:plc:b")
    answer = append_async._answer
    with held(rolled_back) as one, held(committed) as two:

        async def end_when_waited_for(connection: Any, step: Any) -> Any:
            if isinstance(step, append_protocol.Pause):
                one.rollback()
                two.commit()
            return await answer(connection, step)

        monkeypatch.setattr(append_async, "_answer", end_when_waited_for)
        assert await append(log, [rolled_back, committed, new("did:plc:c")]) == ["enqueued", "duplicate", "enqueued"]


async def test_locked_events_of_a_large_group_delay_the_others_by_two_seconds_at_most(log: PostgresLog) -> None:
    events = [new(f"did:plc:{n % 1500}") for n in range(2_000)]
    blocked = events[::100]
    with held(*blocked):
        began = time.monotonic()
        statuses = await append(log, events)
        took = time.monotonic() - began
    assert took < append_protocol.LOCKED_FOR + 2.0
    refused = {event.event_id for event, status in zip(events, statuses, strict=True) if status == "locked"}
    assert {event.event_id for event in blocked} <= refused
    assert len(refused) < 2 * len(blocked)
    dids = {event.did for event in blocked}
    assert {event.did for event in events if event.event_id in refused} == dids


async def test_a_group_that_is_repeated_does_not_take_its_own_events_for_duplicates(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The insert was committed; what followed it failed, and all was run again."""
    event, known = new(), new("did:plc:b")
    await log.append([known])
    answer = append_async._answer
    failures = iter([psycopg.errors.DeadlockDetected("once")])

    async def fail_once(connection: Any, step: Any) -> Any:
        if isinstance(step, append_protocol.FetchDigests) and (error := next(failures, None)):
            raise error
        return await answer(connection, step)

    monkeypatch.setattr(append_async, "_answer", fail_once)
    assert await append(log, [event, known, event]) == ["enqueued", "duplicate", "duplicate"]


async def test_an_append_that_finds_the_disk_full_is_not_repeated(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was repeated for 10 s, and its callers waited for as long."""
    answer = append_async._answer
    failures = iter([psycopg.errors.DiskFull("once")])

    async def fail_once(connection: Any, step: Any) -> Any:
        if error := next(failures, None):
            raise error
        return await answer(connection, step)

    monkeypatch.setattr(append_async, "_answer", fail_once)
    with pytest.raises(psycopg.errors.DiskFull):
        await log.append([new()])


async def until_waiting_for_a_lock() -> None:
    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(WAITING_FOR_THE_LOG)
            return bool(cursor.fetchall())

    while not await asyncio.to_thread(waits):
        await asyncio.sleep(0.01)


async def test_an_abandoned_append_is_not_cancelled_and_its_repeat_is_a_duplicate(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = new()
    with bare_connection() as blocker:
        blocker.execute("begin")
        blocker.execute("lock table events_event in share mode")
        monkeypatch.setattr(append_async, "TIMEOUT", 0.2)
        with pytest.raises(OutcomeUnknownError):
            await log.append([event])
        assert [appending.cancelling() for appending in log._abandoned] == [0]
        blocker.execute("rollback")
    monkeypatch.undo()
    while log._abandoned:
        await asyncio.sleep(0.01)
    assert await append(log, [event]) == ["duplicate"]


async def test_abandoned_appends_are_capped_and_no_more_connections_are_opened(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bare_connection() as blocker:
        blocker.execute("begin")
        blocker.execute("lock table events_event in share mode")
        monkeypatch.setattr(append_async, "TIMEOUT", 0.1)
        for _ in range(append_async.ABANDONED):
            with pytest.raises(OutcomeUnknownError):
                await log.append([new()])
        monkeypatch.setattr(psycopg.AsyncConnection, "connect", lambda **_: pytest.fail("it connected"))
        with pytest.raises(TooManyAbandonedError):
            await log.append([new()])
        blocker.execute("rollback")
    monkeypatch.undo()
    while log._abandoned:
        await asyncio.sleep(0.01)
    assert await append(log, [new()]) == ["enqueued"]


@pytest.fixture
def replicated(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgreSQL]:
    """A server whose synchronous standby is away."""
    with PostgreSQL() as server:
        environment = {**os.environ, "DATABASE_URL": server.url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True, capture_output=True)
        standby(server, "'standby'")
        parameters = {"conninfo": server.url, "autocommit": True}
        monkeypatch.setattr(append_async, "bare_parameters", lambda: parameters)
        yield server


def standby(server: PostgreSQL, names: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as session:
        session.execute(f"alter system set synchronous_standby_names = {names}")
        session.execute("select pg_reload_conf()")
        while True:
            row = session.execute("show synchronous_standby_names").fetchone()
            if row and (row[0] == "") == (names == "''"):
                return


def visible(server: PostgreSQL) -> bool:
    with psycopg.connect(server.url, autocommit=True) as session:
        return session.execute("select count(*) from events_event").fetchone() == (1,)


def use_up_logged_call(server: PostgreSQL) -> None:
    """Let a sequence write the WAL that it writes after a start and at each 32nd call: an append would wait for it."""
    with psycopg.connect(server.url, autocommit=True) as session:
        session.execute("set synchronous_commit = off")
        session.execute("select nextval('events_event_id_seq')")


@pytest.mark.parametrize("exposed", ["terminated", "stopped fast"])
async def test_nothing_is_answered_that_is_not_replicated_the_repeat_included(
    replicated: PostgreSQL, log: PostgresLog, monkeypatch: pytest.MonkeyPatch, exposed: str
) -> None:
    """Ending what waits for the standby makes the row visible, though nothing was replicated."""
    event = new()
    monkeypatch.setattr(append_async, "TIMEOUT", 2.0)
    monkeypatch.setattr(append_protocol, "LOCKED_FOR", 0.2)
    with pytest.raises(OutcomeUnknownError):
        await log.append([event])
    assert await log.append([event]) == [append_protocol.Appended(event.event_id, "locked")]
    if exposed == "terminated":
        with psycopg.connect(replicated.url, autocommit=True) as session:
            session.execute("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
    else:
        await asyncio.to_thread(replicated.stop)
        await asyncio.to_thread(replicated.start)
    while not await asyncio.to_thread(visible, replicated):
        await asyncio.sleep(0.01)
    use_up_logged_call(replicated)
    with pytest.raises(OutcomeUnknownError):
        await log.append([event])
    standby(replicated, "''")
    while log._abandoned:
        await asyncio.sleep(0.01)
    assert await append(log, [event]) == ["duplicate"]
