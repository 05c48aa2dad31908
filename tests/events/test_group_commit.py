"""Many callers, one commit; each hears of his own events, whatever becomes of the others or of the database."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.db.models import TextField
from django.db.models.functions import Cast

from events.envelope import NewEvent, parse
from events.intake import group_commit
from events.intake.group_commit import GroupCommit
from events.log import append_async
from events.log.append_protocol import Appended
from events.models import Event, Pending
from events.wakeup import bare_connection
from tests.events.hostile import STRANGE, event
from tests.events.statements import WAITING_FOR_THE_LOG
from tests.proxy import Mode, Proxy
from tests.servers import PostgreSQL

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)


def new(payload: str = "{}", **fields: Any) -> NewEvent:
    return parse(event(payload, **fields))


class Slow:
    """A log that waits until it is told to go on, and notes each group."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.groups: list[int] = []
        self.error: Exception | None = None

    async def append(self, events: list[NewEvent]) -> list[Appended]:
        self.groups.append(len(events))
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return [Appended(event.event_id, "enqueued") for event in events]

    async def close(self) -> None:
        pass


class Brief(Slow):
    """One that takes a few turns of the loop."""

    async def append(self, events: list[NewEvent]) -> list[Appended]:
        for _ in range(5):
            await asyncio.sleep(0)
        return await super().append(events)


async def asked(question: Callable[[], T]) -> T:
    """What the database answers, on a connection that does not outlive the question."""

    def ask() -> T:
        try:
            return question()
        finally:
            connections.close_all()

    return await sync_to_async(ask)()


async def stored() -> int:
    return await asked(Event.objects.count)


async def test_half_of_those_who_arrive_during_a_commit_go_into_the_next() -> None:
    log = Slow()
    commit = GroupCommit(log)
    first = commit.append([new()])
    await asyncio.sleep(0)
    others = [commit.append([new(), new()]) for _ in range(10)]
    log.go_on.set()
    await asyncio.gather(first, *others)
    assert log.groups == [1, 12, 8]


async def test_those_who_keep_sending_are_committed_in_two_halves() -> None:
    log = Brief()
    log.go_on.set()
    commit = GroupCommit(log)

    async def send() -> None:
        for _ in range(10):
            await commit.append([new()])

    await asyncio.gather(*[send() for _ in range(32)])
    assert log.groups[-18:-2] == [16] * 16


async def test_it_is_settled_though_the_caller_has_gone() -> None:
    log = Slow()
    settled: list[list[Appended]] = []
    commit = GroupCommit(log)
    gone = commit.append([new()], settled.append)
    gone.cancel()
    log.go_on.set()
    await commit.close()
    assert [[each.status for each in became] for became in settled] == [["enqueued"]]


async def test_it_is_settled_with_nothing_after_a_failure() -> None:
    log = Slow()
    log.error = append_async.OutcomeUnknownError("it hangs")
    log.go_on.set()
    settled: list[list[Appended]] = []
    commit = GroupCommit(log)
    with pytest.raises(append_async.OutcomeUnknownError):
        await commit.append([new()], settled.append)
    assert settled == [[]]


@pytest.mark.parametrize(("name", "limit"), [("ROWS_LIMIT", 4), ("BYTES_LIMIT", 8)])
async def test_a_group_has_its_limits(monkeypatch: pytest.MonkeyPatch, name: str, limit: int) -> None:
    monkeypatch.setattr(group_commit, name, limit)
    log = Slow()
    log.go_on.set()
    commit = GroupCommit(log)
    await asyncio.gather(*[commit.append([new() for _ in range(count)]) for count in (3, 1, 1, 9, 1)])
    assert log.groups == [4, 1, 9, 1]


async def test_callers_that_wait_when_the_outcome_is_unknown_are_not_let_wait_again() -> None:
    log = Slow()
    commit = GroupCommit(log)
    first = commit.append([new()])
    await asyncio.sleep(0)
    second = commit.append([new()])
    log.error = append_async.OutcomeUnknownError("it hangs")
    log.go_on.set()
    assert [type(e) for e in await asyncio.gather(first, second, return_exceptions=True)] == [type(log.error)] * 2
    assert log.groups == [1]


async def test_a_flush_that_is_cut_off_leaves_nobody_waiting() -> None:
    commit = GroupCommit(Slow())
    first = commit.append([new()])
    await asyncio.sleep(0)
    second = commit.append([new()])
    assert commit._flush is not None
    commit._flush.cancel()
    both = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 5)
    assert [type(e) for e in both] == [append_async.OutcomeUnknownError] * 2


async def test_who_closes_and_gives_up_cuts_nobody_off() -> None:
    log = Slow()
    commit = GroupCommit(log)
    heard = commit.append([new()])
    closing = asyncio.create_task(commit.close())
    while not log.groups:
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    log.go_on.set()
    assert (await heard)[0].status == "enqueued"


async def test_each_hears_of_his_own() -> None:
    commit = GroupCommit()
    same, other = str(uuid4()), str(uuid4())
    requests = [
        [new('{"a":1}', event_id=same)],
        [new('{"a":1}', event_id=same), new(event_id=other)],
        [new('{"a":2}', event_id=same)],
        [new()] * 2,
        [],
    ]
    heard = await asyncio.gather(*[commit.append(events) for events in requests])
    assert [[a.status for a in answers] for answers in heard] == [
        ["enqueued"],
        ["duplicate", "enqueued"],
        ["conflict"],
        ["enqueued", "duplicate"],
        [],
    ]
    assert [a.event_id for a in heard[1]] == [UUID(same), UUID(other)]
    assert await stored() == 3
    await commit.close()


async def test_strange_payloads_are_stored_beside_others() -> None:
    commit = GroupCommit()
    made = [new(), *map(new, STRANGE.values()), new()]
    heard = await asyncio.gather(*[commit.append([each]) for each in made])
    assert {a.status for [a] in heard} == {"enqueued"}
    texts = Event.objects.annotate(text=Cast("payload", TextField())).values_list("event_id", "text")
    assert await asked(lambda: dict(texts)) == {each.event_id: each.payload.decode() for each in made}
    assert await asked(Pending.objects.count) == len(made)
    await commit.close()


async def test_a_caller_that_goes_away_takes_nothing_with_it() -> None:
    commit = GroupCommit()
    gone, stays = commit.append([new()]), commit.append([new()])
    gone.cancel()
    assert (await stays)[0].status == "enqueued"
    assert await stored() == 2
    await commit.close()


async def test_closing_commits_what_was_taken() -> None:
    commit = GroupCommit()
    heard = [commit.append([new()]) for _ in range(20)]
    await commit.close()
    assert all(answer.done() and answer.result()[0].status == "enqueued" for answer in heard)
    assert await stored() == 20


async def test_ids_rise_in_the_order_of_answers() -> None:
    one, other = GroupCommit(), GroupCommit()
    order = []
    for n in range(10):
        [answer] = await (one if n % 2 else other).append([new()])
        order.append(answer.event_id)
    assert await asked(lambda: list(Event.objects.order_by("id").values_list("event_id", flat=True))) == order
    await one.close()
    await other.close()


@pytest.mark.postgresql
class TestPostgreSQL:
    async def connected(self) -> tuple[GroupCommit, int]:
        """A group commit with its connection open, and the backend's process id."""
        commit = GroupCommit()
        await commit.append([new()])
        log = commit._log
        assert isinstance(log, append_async.PostgresLog) and log._connection is not None
        return commit, log._connection.info.backend_pid

    async def held(
        self, commit: GroupCommit, blocker: psycopg.Connection[Any], event_id: str | None = None
    ) -> asyncio.Future[list[Appended]]:
        """An append that waits for a lock of `blocker`."""
        blocker.execute("begin")
        blocker.execute("lock events_event in share mode")
        waiting = commit.append([new(event_id=event_id or str(uuid4()))])
        with bare_connection() as watcher:
            while not watcher.execute(WAITING_FOR_THE_LOG).fetchone():
                await asyncio.sleep(0.01)
        return waiting

    async def test_a_connection_that_ended_while_idle_is_replaced(self) -> None:
        commit, pid = await self.connected()
        with bare_connection() as killer:
            killer.execute("select pg_terminate_backend(%s, 5000)", (pid,))
        assert (await commit.append([new()]))[0].status == "enqueued"
        await commit.close()

    async def test_a_connection_lost_in_an_append_is_an_error_for_all_of_its_group(self) -> None:
        commit, pid = await self.connected()
        with bare_connection() as blocker, bare_connection() as killer:
            waiting = await self.held(commit, blocker)
            killer.execute("select pg_terminate_backend(%s)", (pid,))
            with pytest.raises(psycopg.OperationalError):
                await waiting
            blocker.execute("rollback")
        assert (await commit.append([new()]))[0].status == "enqueued"
        await commit.close()

    @pytest.mark.parametrize("cut", [True, False])
    async def test_an_answer_lost_after_the_commit_is_an_error_and_the_repeat_a_duplicate(
        self, monkeypatch: pytest.MonkeyPatch, cut: bool
    ) -> None:
        direct = append_async.bare_parameters()
        host, port = str(direct.get("host") or "127.0.0.1"), int(direct.get("port") or 5432)
        monkeypatch.setattr(append_async, "TIMEOUT", 30.0 if cut else 0.5)
        with Proxy(Path(host) / f".s.PGSQL.{port}" if host.startswith("/") else port) as proxy:
            through = {**direct, "host": "127.0.0.1", "port": proxy.port}
            monkeypatch.setattr(append_async, "bare_parameters", lambda: through)
            commit, _ = await self.connected()
            with bare_connection() as blocker:
                event_id = str(uuid4())
                waiting = await self.held(commit, blocker, event_id)
                await asyncio.to_thread(proxy.set, Mode.HANG)
                blocker.execute("rollback")
            while await stored() < 2:
                await asyncio.sleep(0.01)
            if cut:
                await asyncio.to_thread(proxy.cut)
            with pytest.raises(psycopg.OperationalError):
                await waiting
            await asyncio.to_thread(proxy.set, Mode.PASS)
            monkeypatch.setattr(append_async, "TIMEOUT", 30.0)
            assert (await commit.append([new(event_id=event_id)]))[0].status == "duplicate"
            await commit.close()

    async def test_thousands_of_strange_payloads_cost_no_round_trip_each(self, monkeypatch: pytest.MonkeyPatch) -> None:
        commit, _ = await self.connected()
        executed: list[Any] = []
        execute = psycopg.AsyncConnection.execute

        async def watch(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            executed.append(query)
            return await execute(self, query, *arguments, **options)

        monkeypatch.setattr(psycopg.AsyncConnection, "execute", watch)
        heard = await commit.append([new('{"a":"\\u0000\\ud800"}') for _ in range(1_000)])
        assert {a.status for a in heard} == {"enqueued"} and len(executed) == 1
        assert await stored() == 1_001
        await commit.close()

    async def test_an_append_given_up_that_ends_late_leaves_the_next_ones_connection_alone(self) -> None:
        log = append_async.PostgresLog()
        old = await log._connected()
        log._connection = None
        current = await log._connected()
        await log._discard(old)
        assert old.closed and log._connection is current and not current.closed
        await log.close()

    @pytest.mark.parametrize("connected", [True, False])
    async def test_a_frozen_server_is_not_waited_for_long(
        self, monkeypatch: pytest.MonkeyPatch, connected: bool
    ) -> None:
        with PostgreSQL() as server:
            monkeypatch.setattr(append_async, "bare_parameters", lambda: {"conninfo": server.url, "autocommit": True})
            # Its database has no tables.
            monkeypatch.setattr(append_async, "bound", lambda name, given: ("select $1::json", [given["document"]]))
            log = append_async.PostgresLog()
            commit = GroupCommit(log)
            await commit.append([new()])
            if not connected:
                await log.close()
            monkeypatch.setattr(append_async, "TIMEOUT", 0.3)
            server.signal(signal.SIGSTOP)
            began = asyncio.get_running_loop().time()
            with pytest.raises(append_async.OutcomeUnknownError):
                await commit.append([new()])
            assert asyncio.get_running_loop().time() - began < 3
            server.signal(signal.SIGCONT)
            monkeypatch.setattr(append_async, "TIMEOUT", 10.0)
            assert (await commit.append([new()]))[0].status == "enqueued"
            await commit.close()
