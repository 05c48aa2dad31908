"""A real web server, asked everything that the OpenAPI document allows and much that it does not.

Whatever comes: an answer that the document knows, no 5xx, no hang, no growth of memory, and nothing in the log that was
not accepted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from events.models import Event
from tests.events.hostile import NOT_EVENTS, STRANGE, event
from tests.integration.conftest import ROOT, database_url, eventually
from tests.servers import free_port

KEY = "a-key-for-hostile-requests-0123456789-abcdefghij"
PATH = "/internal/events"
PATIENCE = 10  # seconds in which every answer must be there
GROWTH = 20_000_000  # bytes that a server may grow by once it is warm
DOORS = ("0", "1")  # by EVENT_FAST_DOOR: POSTs are answered by the view, or by the lean door
# What uvicorn itself says to a request line of over 64 KB, say: no application hears of it.
NO_REQUEST = "Invalid HTTP request received."
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    # What is valid by the schema may be refused (a type without processor, the 31st of February), and a batch with an
    # event that is none is answered 207: so neither acceptance nor rejection is checked.
    response_schema_conformance,
]

pytestmark = pytest.mark.django_db(transaction=True)

document = schemathesis.openapi.from_path(ROOT / "docs" / "openapi.yaml")


@schemathesis.serializer("application/x-ndjson")
def lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Lines as they were drawn."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


class Server:
    """One uvicorn against the test database."""

    def __init__(self, door: str, log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "rhiz.settings",
            "DATABASE_URL": database_url(),
            "DEBUG": "0",
            "SECRET_KEY": "a-secret-for-hostile-requests-0123456789-abcdefghij",
            "ALLOWED_HOSTS": "127.0.0.1",
            "INTERNAL_API_KEY": KEY,
            "INTERNAL_RATE_LIMIT": "100000000/second",
            "EVENT_QUEUE_CAPACITY": "100000000",
            "EVENT_FAST_DOOR": door,
            "DRAIN_DELAY": "0",
            "LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(port), "--no-access-log"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT
        )
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE, headers={"X-Internal-Key": KEY})

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def memory(self) -> int:
        """Bytes that the process holds."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def close(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module", params=DOORS, ids=["view", "lean"])
def server(
    request: pytest.FixtureRequest, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that answers through one of the doors."""
    log = tmp_path_factory.mktemp("server") / "log"
    running = Server(request.param, log)
    try:
        eventually(running.answers, within=60, what="the server answers")
        yield running
    finally:
        running.close()
    assert "Traceback" not in log.read_text()


def _ask(case: schemathesis.Case, server: Server) -> None:
    before = Event.objects.count()
    response = case.call(base_url=server.url, headers={"X-Internal-Key": KEY}, timeout=PATIENCE)
    if response.text == NO_REQUEST:
        return
    case.validate_response(response, checks=CHECKS)
    if response.status_code >= 400:
        assert Event.objects.count() == before


# The same examples in every run: a run that fails can be repeated.
LENIENT: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
    "database": None,
}


posts = document.include(path=PATH)
others = document.exclude(path=PATH)  # the same view answers them, whichever door takes POSTs
any_door = pytest.mark.parametrize("server", DOORS[-1:], indirect=True)


@posts.parametrize()
@hypothesis_settings(max_examples=20, **LENIENT)
def test_every_answer_to_a_post_is_a_known_one(case: schemathesis.Case, server: Server) -> None:
    _ask(case, server)


@any_door
@others.parametrize()
@hypothesis_settings(max_examples=5, **LENIENT)
def test_every_answer_is_a_known_one(case: schemathesis.Case, server: Server) -> None:
    _ask(case, server)


@pytest.mark.proof
@pytest.mark.timeout(3_600)
@posts.parametrize()
@hypothesis_settings(max_examples=1_000, **LENIENT)
def test_every_answer_to_very_many_posts_is_a_known_one(case: schemathesis.Case, server: Server) -> None:
    _ask(case, server)


@pytest.mark.proof
@pytest.mark.timeout(3_600)
@any_door
@others.parametrize()
@hypothesis_settings(max_examples=200, **LENIENT)
def test_every_answer_of_very_many_is_a_known_one(case: schemathesis.Case, server: Server) -> None:
    _ask(case, server)


def post(server: Server, body: bytes) -> httpx.Response:
    return server.client.post(PATH, content=body, headers={"Content-Type": "application/json"})


def test_what_is_no_event_is_refused_and_leaves_no_trace(server: Server) -> None:
    before = Event.objects.count()
    answers = {name: post(server, body).status_code for name, (body, _) in NOT_EVENTS.items()}
    assert {name: status for name, status in answers.items() if status != 400} == {}
    assert Event.objects.count() == before


def test_what_a_stranger_may_have_published_is_accepted(server: Server) -> None:
    before = Event.objects.count()
    for payload in STRANGE.values():
        assert post(server, event(payload)).status_code == 202
    assert Event.objects.count() == before + len(STRANGE)


def test_memory_stays_flat(server: Server) -> None:
    bodies = [body for body, _ in NOT_EVENTS.values()] + [
        b"[" * 100_000,
        b"x" * 6_000_000,
        b"[" + b"{}," * 4_999 + b"{}]",
    ]

    def a_round() -> None:
        for body in bodies:
            assert post(server, body).status_code < 500

    for _ in range(3):
        a_round()
    warm = server.memory
    for _ in range(5):
        a_round()
    assert server.memory - warm < GROWTH
