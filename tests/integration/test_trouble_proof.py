"""Trouble that lasts: a frozen database, a locked table, held ids, huge payloads. Nothing is lost, and it ends."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from events.envelope import from_mapping
from events.models import Attempt, DeadLetter, Event, Pending
from health.checks import event_pipeline
from tests.events.statements import append_in
from tests.integration.conftest import (
    WorkerProcess,
    all_done,
    append,
    database_url,
    event,
    eventually,
    none_pending,
    states,
)
from tests.integration.test_outage import manage
from tests.integration.web import WebProcess
from tests.servers import PostgreSQL

pytestmark = [pytest.mark.proof, pytest.mark.postgresql]

Start = Callable[..., WorkerProcess]

FROZEN = 30.0  # seconds
CALM = 20.0  # seconds after which nothing is refused any more
LOCKED = 60.0  # seconds for which a table is locked
BOUND = 2.0  # seconds in which what has nothing to do with held ids is answered
PAYLOADS = 75
GROWTH = 1.2
AS_JSON = {"Content-Type": "application/json"}


@pytest.fixture
def web(transactional_db: None) -> Iterator[WebProcess]:
    with WebProcess(database_url(), DEBUG="0", ALLOWED_HOSTS="127.0.0.1") as server:
        eventually(server.answers, within=30)
        yield server


def body(n: int, count: int = 50) -> bytes:
    return json.dumps([event(n, f"did:plc:{uuid4()}") for _ in range(count)]).encode()


def test_after_a_freeze_of_the_database_under_load_nothing_is_refused_on_an_empty_log(tmp_path: Path) -> None:
    """Admission sampled the depth at 20 times its last duration, and refused 240 of 280 batches."""
    with PostgreSQL() as server:
        manage(server.url, "migrate")
        worker = WorkerProcess(log=tmp_path / "log", url=server.url)
        try:
            with WebProcess(server.url, DEBUG="0", ALLOWED_HOSTS="127.0.0.1") as web, web.client(60) as client:
                eventually(web.answers, within=30)
                begun = time.monotonic()
                _post(client, begun + 5)
                server.signal(signal.SIGSTOP)
                _post(client, time.monotonic() + FROZEN)
                server.signal(signal.SIGCONT)
                _post(client, time.monotonic() + CALM)
                answers = _post(client, time.monotonic() + 10)
        finally:
            worker.kill()
    assert len(answers) > 100
    assert {status for status, _ in answers} == {202}, answers


def _post(client: httpx.Client, until: float) -> list[tuple[int, str]]:
    answers = []
    while time.monotonic() < until:
        try:
            reply = client.post("/internal/events", content=body(1), headers=AS_JSON)
        except httpx.HTTPError as error:
            answers.append((0, str(error)))
        else:
            answers.append((reply.status_code, reply.json().get("type", "")))
        time.sleep(0.03)
    return answers


def test_a_web_server_started_before_any_worker_with_another_number_of_lanes_strands_nothing(
    start: Start, transactional_db: None
) -> None:
    with WebProcess(database_url(), DEBUG="0", ALLOWED_HOSTS="127.0.0.1", EVENT_LANES="100") as web:
        eventually(web.answers, within=30)
        with web.client() as client:
            for n in range(20):
                reply = client.post("/internal/events", content=body(n, 100), headers=AS_JSON)
                assert reply.status_code == 202
    assert start("--drain", EVENT_LANES="7").wait(60) == 0
    assert all_done() and Event.objects.count() == 2_000


def test_ids_that_an_open_transaction_holds_delay_the_others_of_their_group_by_two_seconds_at_most(
    web: WebProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = [{**event(n, f"did:plc:{n % 2500}"), "event_id": str(uuid4())} for n in range(5_000)]
    blocked = batch[100::200]
    with psycopg.connect(database_url()) as holder, web.client(60) as client:
        client.post("/internal/events", json=event(1))
        append_in(holder, *(from_mapping(each) for each in blocked))
        begun = time.monotonic()
        reply = client.post("/internal/events", content=json.dumps(batch), headers=AS_JSON)
        took = time.monotonic() - begun
        holder.rollback()
        again = [result["event_id"] for result in reply.json()["results"] if result["status"] == "rejected"]
        repeated = client.post("/internal/events", json=[each for each in batch if each["event_id"] in set(again)])
    with capsys.disabled():
        print(f"\n  25 of 5,000 held: answered in {took:.2f} s, {len(again)} refused", end="")
    assert reply.status_code == 207 and took <= BOUND
    assert {each["event_id"] for each in blocked} <= set(again) and len(again) <= 50
    assert repeated.status_code == 202


def test_a_locked_table_costs_no_event_an_attempt_and_its_lanes_are_named_in_health(start: Start) -> None:
    ids = append([event(n, f"did:plc:{n}") for n in range(500)])
    with psycopg.connect(database_url()) as holder:
        holder.execute("lock table recorder_seen in access exclusive mode")
        worker = start("--workers", "10", EVENT_BATCH_TIMEOUT="3")
        end = time.monotonic() + LOCKED
        eventually(lambda: "a lane keeps failing" in event_pipeline().reason, within=30)
        [failing, *_] = event_pipeline().figures["failing_lanes"]
        assert "lock timeout" in failing["error"]
        while time.monotonic() < end:
            assert not Pending.objects.filter(attempts__gt=0).exists() and not DeadLetter.objects.exists()
            time.sleep(0.5)
    eventually(all_done, within=30)
    assert set(Event.objects.with_state().filter(pk__in=ids).values_list("attempts", flat=True)) == {1}
    assert not Attempt.objects.exists()
    eventually(lambda: "a lane keeps failing" not in event_pipeline().reason)
    assert not worker.ended


def test_other_lanes_go_on_while_one_row_is_locked(start: Start) -> None:
    stuck = append([event(1, "did:plc:stuck", event_type="test.cross", forth=True)])
    with psycopg.connect(database_url()) as holder:
        holder.execute("insert into recorder_tally (id, total) values (1, 0)")
        start("--workers", "2", EVENT_BATCH_TIMEOUT="3")
        others = append([event(n, f"did:plc:{n}") for n in range(2_000)])
        eventually(lambda: states(others) >= {"done"} and Pending.objects.count() <= 100, within=30)
        assert states(stuck) == {"pending"}
    eventually(all_done, within=30)


def payload_of(kind: str) -> str:
    """A payload of 64 KB: numbers that a binary form of JSON would expand, or text."""
    size = 65_000
    text = f"[{','.join(['1e308'] * (size // 6))}]" if kind == "numbers" else f'"{"y" * size}"'
    return f'{{"n":1,"x":{text}}}'


def peak(start: Start, web: WebProcess, kind: str) -> int:
    """The worker's peak memory, in bytes, over such payloads that came in one POST."""
    made = payload_of(kind)
    one = '{{"event_type":"test.record","did":"did:plc:{n}","payload":{payload}}}'
    content = "[" + ",".join(one.format(n=n, payload=made) for n in range(PAYLOADS)) + "]"
    with web.client(60) as client:
        reply = client.post("/internal/events", content=content, headers=AS_JSON)
    assert reply.status_code == 202, reply.text[:300]
    worker = start()
    process, highest = psutil.Process(worker.pid), 0
    while not none_pending():
        highest = max(highest, process.memory_info().rss)
        time.sleep(0.002)
    highest = max(highest, process.memory_info().rss)
    worker.kill()
    return highest


def test_payloads_full_of_large_numbers_take_a_worker_no_more_memory_than_plain_ones(
    start: Start, web: WebProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, numbers = peak(start, web, "text"), peak(start, web, "numbers")
    with capsys.disabled():
        print(f"\n  peak of a worker: {plain / 1e6:.0f} MB with text, {numbers / 1e6:.0f} MB with 1e308", end="")
    assert numbers <= GROWTH * plain
    assert len(max(Event.objects.values_list("payload", flat=True), key=lambda each: len(str(each)))["x"]) > 10_000
