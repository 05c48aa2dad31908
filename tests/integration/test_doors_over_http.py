"""The web server itself, over TCP: the same answers with the lean door and without, and an end that answers all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from events.models import Event
from tests.events.hostile import NOT_EVENTS, STRANGE, event
from tests.integration.conftest import ROOT, database_url, eventually
from tests.servers import free_port

PATH = "/internal/events"
Serve = Callable[..., tuple[subprocess.Popen[bytes], str]]


@pytest.fixture
def serve(transactional_db: None, tmp_path: Path) -> Iterator[Serve]:
    """Start web servers on the test database; each with its address."""
    started: list[subprocess.Popen[bytes]] = []

    def run(**environment: str) -> tuple[subprocess.Popen[bytes], str]:
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(port), "--no-access-log"]
        given = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database_url(), "DRAIN_DELAY": "0"}
        with (tmp_path / f"web{port}.log").open("wb") as log:
            server = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **given, **environment}, stdout=log, stderr=log
            )
        started.append(server)
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(url), what="the web server answers")
        return server, url

    yield run
    for server in started:
        server.kill()
        server.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_both_doors_say_the_same(serve: Serve, internal_key: str) -> None:
    twice = event(event_id=str(uuid4()))
    bodies = [twice, *[body for body, _ in NOT_EVENTS.values()], b"[" + twice + b",7]", b"[]", b"x" * 5_242_881]
    told = []
    for fast in ("1", "0"):
        _, url = serve(EVENT_FAST_DOOR=fast)
        with httpx.Client(base_url=url, headers={"X-Internal-Key": internal_key}) as client:
            client.post(PATH, content=twice, headers={"Content-Type": "application/json"})
            replies = [client.post(PATH, content=b, headers={"Content-Type": "application/json"}) for b in bodies]
            replies += [client.post(PATH, content=twice, headers={"X-Internal-Key": key}) for key in ("", "wrong")]
            replies += [client.get(PATH), client.post(PATH, content=twice, headers={"Content-Type": "text/plain"})]
            twice_given = [("X-Internal-Key", internal_key), ("Content-Type", "application/json")]
            replies += [
                client.post(PATH, content=twice, headers=[*twice_given, *twice_given]),
                client.post(PATH, content=iter([twice]), headers={"Content-Type": "application/json"}),  # in chunks
                client.post(
                    PATH, content=twice, headers={"Content-Type": "application/json", "Expect": "100-continue"}
                ),
            ]
            assert [reply.status_code for reply in replies[-3:]] == [403, 200, 200]
            assert client.post(PATH, content=twice, headers={"Host": "other.example.org"}).status_code == 400
            strange = [
                client.post(PATH, content=event(payload), headers={"Content-Type": "application/json"})
                for payload in STRANGE.values()
            ]
            assert {reply.status_code for reply in strange} == {202}
        told.append([(r.status_code, r.headers["content-type"], r.content) for r in replies])
    assert told[0] == told[1]


def test_what_was_accepted_when_the_server_is_told_to_end_is_committed_and_answered(
    serve: Serve, internal_key: str
) -> None:
    server, url = serve()
    accepted: list[str] = []
    others: list[int] = []

    def send() -> None:
        with httpx.Client(base_url=url, headers={"X-Internal-Key": internal_key}) as client:
            while True:
                try:
                    reply = client.post(PATH, content=event(), headers={"Content-Type": "application/json"})
                except httpx.TransportError:
                    return
                if reply.status_code == 202:
                    accepted.append(reply.json()["event_id"])
                else:
                    others.append(reply.status_code)

    senders = [threading.Thread(target=send) for _ in range(8)]
    for sender in senders:
        sender.start()
    eventually(lambda: len(accepted) > 50)
    server.send_signal(signal.SIGTERM)
    for sender in senders:
        sender.join()
    assert server.wait(10) in (0, -signal.SIGTERM)
    assert not others
    assert {str(e) for e in Event.objects.values_list("event_id", flat=True)} >= set(accepted)
