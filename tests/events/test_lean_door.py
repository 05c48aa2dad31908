"""What the lean door does by itself: what it leaves to Django, and what slow, large and too many requests cost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connections
from pytest_django import Settings

from events.envelope import NewEvent
from events.intake import core, door, upload
from events.intake.admission import Admission
from events.intake.core import Submission
from events.intake.door import IntakeDoor
from events.intake.flight import BODIES, Flight
from events.intake.problems import Problem
from events.intake.rate import Verdict
from events.intake.upload import Message, Receive
from events.log.append_protocol import Appended
from tests.events.doors import JSON, LINES, PATH, Reply, assert_problem
from tests.events.hostile import event

pytestmark = pytest.mark.django_db(transaction=True)

passed_on: list[str] = []


async def behind(scope: dict[str, Any], receive: Receive, send: Any) -> None:
    passed_on.append(scope["method"] + " " + scope["path"])


class Held:
    """A log that goes on when it is told to."""

    def __init__(self, lean: IntakeDoor) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        lean._group_commit._log = self

    async def append(self, events: list[NewEvent]) -> list[Appended]:
        self.begun.set()
        await self.go_on.wait()
        return [Appended(event.event_id, "enqueued") for event in events]

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _own_admission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "admission", Admission(background=False))
    passed_on.clear()


@pytest.fixture
async def lean() -> AsyncIterator[IntakeDoor]:
    made = IntakeDoor(behind, limits=Flight())
    yield made
    await made.close()
    await sync_to_async(connections.close_all)()


async def post(
    lean: IntakeDoor, key: str, receive: Receive, path: str = PATH, method: str = "POST", media_type: str = JSON
) -> Reply | None:
    """What the door sends; None if nothing."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"testserver"), (b"content-type", media_type.encode()), (b"x-internal-key", key.encode())]
    await lean({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    if not sent:
        return None
    start, end = sent
    return Reply(start["status"], {n.decode(): v.decode() for n, v in start["headers"]}, end["body"])


def whole(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", PATH), ("OPTIONS", PATH), ("POST", PATH + "/"), ("POST", PATH + "/metrics"), ("POST", "/")],
)
async def test_everything_else_goes_to_django(lean: IntakeDoor, internal_key: str, method: str, path: str) -> None:
    assert await post(lean, internal_key, never, path, method) is None
    assert passed_on == [f"{method} {path}"]


async def test_closed_by_its_setting_all_goes_to_django(
    lean: IntakeDoor, internal_key: str, settings: Settings
) -> None:
    settings.EVENT_FAST_DOOR = False
    assert await post(lean, internal_key, never) is None
    assert passed_on == [f"POST {PATH}"]


@pytest.mark.parametrize(("key", "status"), [("", 401), ("wrong", 403)])
async def test_without_a_key_no_body_is_waited_for(lean: IntakeDoor, key: str, status: int) -> None:
    reply = await post(lean, key, never)
    assert reply is not None
    assert_problem(reply, status)


async def test_a_body_that_does_not_arrive_is_408_and_the_end(
    lean: IntakeDoor, internal_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PIECE_PATIENCE", 0.05)
    reply = await post(lean, internal_key, never)
    assert reply is not None
    assert_problem(reply, 408, "body")
    assert reply.headers["connection"] == "close"


async def test_one_that_trickles_is_408_too(
    lean: IntakeDoor, internal_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "BODY_PATIENCE", 0.1)

    async def trickle() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    reply = await post(lean, internal_key, trickle)
    assert reply is not None
    assert_problem(reply, 408, "body")
    assert lean._flight.bytes == 0


async def test_a_caller_who_is_gone_is_not_answered(lean: IntakeDoor, internal_key: str) -> None:
    messages: Iterator[Message] = iter(
        [
            {"type": "http.request", "body": event()[:9], "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Message:
        return next(messages)

    assert await post(lean, internal_key, receive) is None
    assert lean._flight.bytes == 0


async def test_too_many_in_flight_are_refused_at_once_and_slow_ones_do_not_count(
    lean: IntakeDoor, internal_key: str, settings: Settings
) -> None:
    settings.INTERNAL_IN_FLIGHT_LIMIT = 3
    held = Held(lean)
    slow = [asyncio.create_task(post(lean, internal_key, never)) for _ in range(10)]
    fast = [asyncio.create_task(post(lean, internal_key, whole(event()))) for _ in range(3)]
    while lean._flight.requests < 3:
        await asyncio.sleep(0.001)
    refused = await post(lean, internal_key, whole(event()))
    assert refused is not None
    content = assert_problem(refused, 503)
    assert content["type"].endswith("too-busy") and int(refused.headers["retry-after"]) == content["retry_after"]
    held.go_on.set()
    assert [reply and reply.status for reply in await asyncio.gather(*fast)] == [202] * 3
    assert lean._flight.requests == 0
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_bytes_in_flight_are_bounded(lean: IntakeDoor, internal_key: str, settings: Settings) -> None:
    settings.INTERNAL_BODY_LIMIT = 1_000
    lean._flight.hold(BODIES * 1_000 - 10)
    reply = await post(lean, internal_key, whole(event()))
    assert reply is not None
    assert_problem(reply, 503)
    lean._flight.release(BODIES * 1_000 - 10)
    assert lean._flight.bytes == 0


async def test_a_caller_that_is_cancelled_leaves_its_events_committed_and_counted(
    lean: IntakeDoor, internal_key: str
) -> None:
    held = Held(lean)
    task = asyncio.create_task(post(lean, internal_key, whole(event())))
    await held.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.go_on.set()
    await lean.close()
    assert (core.admission._reserved, core.admission._appended) == (0, 1)
    assert lean._flight.requests == 0


async def test_a_count_that_takes_too_long_is_503(
    lean: IntakeDoor, internal_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ADMISSION_PATIENCE", 0.05)

    answered = threading.Event()

    def slow(limit: int) -> int:
        assert answered.wait(30)
        raise OperationalError("it hung")

    monkeypatch.setattr(core, "admission", Admission(pending_count=slow, background=False))
    reply = await post(lean, internal_key, whole(event()))
    answered.set()
    assert reply is not None
    assert_problem(reply, 503)


@pytest.mark.parametrize("cancelled", [True, False])
async def test_room_that_is_reserved_too_late_is_given_back(
    lean: IntakeDoor, internal_key: str, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    monkeypatch.setattr(door, "ADMISSION_PATIENCE", 30.0 if cancelled else 0.05)
    asked, go_on = threading.Event(), threading.Event()

    def slow(limit: int) -> int:
        asked.set()
        go_on.wait(10)
        return 0

    monkeypatch.setattr(core, "admission", Admission(pending_count=slow, drain_rate=lambda: 0.0, background=False))
    posting = asyncio.create_task(post(lean, internal_key, whole(event())))
    await asyncio.to_thread(asked.wait, 10)
    if cancelled:
        posting.cancel()
    [reply] = await asyncio.gather(posting, return_exceptions=True)
    if cancelled:
        assert isinstance(reply, asyncio.CancelledError)
    else:
        assert isinstance(reply, Reply)
        assert_problem(reply, 503)
    go_on.set()
    await asyncio.to_thread(lean._asking.shutdown)
    assert core.admission.pending == 0
    assert (lean._flight.requests, lean._flight.bytes) == (0, 0)


async def test_a_count_that_grows_old_between_two_looks_is_not_taken_on_the_loop(
    lean: IntakeDoor, internal_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ageing(Admission):
        looks = 0

        @property
        def stale(self) -> bool:
            self.looks += 1
            return self.looks > 1

    monkeypatch.setattr(core, "admission", Ageing(background=False))
    reply = await post(lean, internal_key, whole(event()))
    assert reply is not None and reply.status == 202


@pytest.mark.parametrize("at_hand", [True, False])
async def test_the_rate_limit_is_asked_between_reading_and_admission(
    lean: IntakeDoor, internal_key: str, at_hand: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Limiter:
        left = 3

        def take_at_hand(self, key: str, events: int) -> Verdict | None:
            return self.take(key, events) if at_hand else None

        def take(self, key: str, events: int) -> Verdict:
            self.left -= events
            problem = Problem(429, "rate", "too fast") if self.left < 0 else None
            return Verdict(problem, {"RateLimit": str(self.left)})

    monkeypatch.setattr(door, "limiter", Limiter())
    pair = b"[" + event() + b"," + event() + b"]"
    replies = [await post(lean, internal_key, whole(body)) for body in (pair, b"no event", pair)]
    assert [reply and reply.status for reply in replies] == [202, 400, 429]
    assert [reply and reply.headers.get("ratelimit") for reply in replies] == ["1", None, "-1"]


async def test_a_refusal_after_the_rate_limit_tells_what_is_left(
    lean: IntakeDoor, internal_key: str, settings: Settings
) -> None:
    settings.EVENT_QUEUE_CAPACITY = 0
    reply = await post(lean, internal_key, whole(event()))
    assert reply is not None
    assert_problem(reply, 503)
    assert "ratelimit" in reply.headers


def array(payload: str) -> bytes:
    return b"[" + b",".join([event(payload)] * 4_800) + b"]"


HOSTILE = {
    "refused by the decoder, element by element": (array('{"a":1e400,"b":"' + "x" * 900 + '"}'), JSON),
    "valid": (array('{"a":"' + "x" * 900 + '"}'), JSON),
    "an array that ends too early": (b"[" + b'"",' * 1_700_000, JSON),
    "nesting": (b'{"a":' * 1_000_000, JSON),
    "lines": ((b"x" * 1_000 + b"\n") * 5_000, LINES),
    "empty lines": (b"\n" * 5_242_000, LINES),
    "lines of white space": (b" \n" * 2_600_000, LINES),
    "very many lines": (b"7\n" * 2_600_000, LINES),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_large_body_is_read_in_another_thread(
    lean: IntakeDoor, internal_key: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, media_type = HOSTILE[name]
    read, readers = core.read, []

    def noted(*arguments: Any) -> Submission:
        readers.append(threading.current_thread())
        return read(*arguments)

    monkeypatch.setattr(core, "read", noted)
    await post(lean, internal_key, whole(body), media_type=media_type)
    await post(lean, internal_key, whole(event()))
    large, small = readers
    assert large is not small is threading.current_thread()


@pytest.mark.proof
@pytest.mark.usefixtures("collected_seldom")
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_large_body_does_not_hold_the_loop(
    lean: IntakeDoor, internal_key: str, name: str, settings: Settings
) -> None:
    settings.INTERNAL_RATE_LIMIT = "1000000/second"
    body, media_type = HOSTILE[name]
    assert 1_000_000 < len(body) < 5_242_880
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - began - 0.001)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    reply = await post(lean, internal_key, whole(body), media_type=media_type)
    await asyncio.sleep(0.005)
    watching.cancel()
    assert reply is not None and reply.status in (202, 207, 400, 413)
    # 5 to 10 ms alone on a slow core; without the thread 100 ms to 2 s.
    assert 0 < longest < 0.06
