"""A worker's word for itself, in every state."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from events.conf import conf
from events.worker.condition import AWAY, Condition, condition
from events.worker.probe import Probe
from tests.servers import free_port

PATIENCE = 30.0


@pytest.mark.parametrize(
    ("draining", "joined", "away", "stalled"), list(product((False, True), (False, True), (False, True), (False, True)))
)
def test_the_worst_that_holds_is_told(draining: bool, joined: bool, away: bool, stalled: bool) -> None:
    told = condition(
        draining=draining,
        joined=joined,
        silence=AWAY + 0.1 if away else AWAY,
        idle=PATIENCE if stalled else PATIENCE - 0.1,
        patience=PATIENCE,
    )

    holds = [
        (draining, Condition.DRAINING),
        (not joined, Condition.STARTING),
        (away, Condition.AWAY),
        (stalled, Condition.STALLED),
        (True, Condition.WORKING),
    ]
    assert told == next(name for is_so, name in holds if is_so)


Ask = Callable[[str], Any]


@pytest.fixture
def runner() -> Any:
    """A worker that works, as far as its probe looks."""
    membership = SimpleNamespace(joined=True, silence=0.1, unbroken=1_000.0)
    work = SimpleNamespace(progressed=time.monotonic(), processed=7)
    return SimpleNamespace(stopping=False, schedule=SimpleNamespace(running=1), membership=membership, work=work)


async def _ask(runner: Any, request: bytes) -> tuple[int, bytes]:
    """Status code and body of an answer."""
    probe = Probe(runner, free_port())
    await probe.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", probe.port)
    writer.write(request + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    probe.server.close()
    assert b"Cache-Control: no-store" in head
    return int(head.split()[1]), body


@pytest.mark.parametrize("path", [b"/health", b"/livez", b"/health/ready", b"/readyz", b"/health/ready/", b"/health?a"])
async def test_a_working_worker_is_live_and_ready(runner: Any, path: bytes) -> None:
    code, body = await _ask(runner, b"GET " + path)

    assert code == 200
    assert json.loads(body)["status"] == "ok"
    assert json.loads(body)["processed"] == 7


def _drain(runner: Any) -> None:
    runner.stopping = True


def _not_join(runner: Any) -> None:
    runner.membership.joined = False


def _lose_the_database(runner: Any) -> None:
    runner.membership.silence = AWAY + 0.1


def _hang(runner: Any) -> None:
    runner.work.progressed -= conf.batch_timeout


@pytest.mark.parametrize(
    ("befall", "status"),
    [(_drain, "draining"), (_not_join, "starting"), (_lose_the_database, "database away"), (_hang, "stalled")],
)
async def test_what_keeps_it_from_working_is_503_and_no_reason_to_kill_it(
    runner: Any, befall: Callable[[Any], None], status: str
) -> None:
    befall(runner)
    code, body = await _ask(runner, b"GET /health/ready")

    assert (code, json.loads(body)["status"]) == (503, status)
    assert (await _ask(runner, b"GET /health"))[0] == 200


async def test_after_an_outage_nobody_is_stalled_who_just_had_no_database(runner: Any) -> None:
    _hang(runner)
    runner.membership.unbroken = 1.0

    assert (await _ask(runner, b"GET /health/ready"))[0] == 200


async def test_other_requests_are_turned_away(runner: Any) -> None:
    assert (await _ask(runner, b"GET /admin"))[0] == 404
    assert (await _ask(runner, b"POST /health"))[0] == 405
    assert await _ask(runner, b"HEAD /health") == (200, b"")
