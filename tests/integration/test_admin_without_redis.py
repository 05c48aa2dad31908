"""The admin while Redis is away: an operator logs in, looks, decides, as if nothing were."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User

from events.models import Event
from tests.events.letters import DECIDE, LIST, dead
from tests.events.states import state_of
from tests.integration.conftest import ROOT, database_url, eventually
from tests.proxy import Mode, Proxy

pytestmark = pytest.mark.redis

SOON = 10.0  # seconds for the slowest page, the login with its hashed password among them


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(urlsplit(settings.REDIS_URL).port or 6379) as proxy:
        yield proxy


@pytest.fixture
def browser(transactional_db: None, proxy: Proxy, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a web process whose Redis is behind the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {
        "DATABASE_URL": database_url(),
        "REDIS_URL": proxy.redis_url,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    with (tmp_path / "web.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, **variables, "DRAIN_DELAY": "0"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SOON) as client:
            eventually(lambda: _answers(client))
            yield client
    finally:
        server.kill()
        server.wait()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.HTTPError:
        return False


def _post(client: httpx.Client, path: str, page: httpx.Response, **fields: object) -> httpx.Response:
    token = re.search(r'name="csrfmiddlewaretoken" value="(.*?)"', page.text)
    assert token, page.text[:500]
    return client.post(path, data={"csrfmiddlewaretoken": token[1], **fields})


@pytest.mark.parametrize("mode", [Mode.HANG, Mode.REFUSE])
def test_an_operator_logs_in_and_requeues(browser: httpx.Client, proxy: Proxy, mode: Mode) -> None:
    User.objects.create_superuser("op", password="a long and good one")
    [letter] = dead()
    assert browser.get("/admin/login/").status_code == 200
    proxy.set(mode)
    login = _post(
        browser, "/admin/login/", browser.get("/admin/login/"), username="op", password="a long and good one", next=LIST
    )
    assert (login.status_code, login.headers["Location"]) == (302, LIST)
    page = browser.get(LIST)
    assert "ValueError: strength #" in page.text
    done = _post(browser, DECIDE, page, verb="requeue", scope="selected", selected=letter.pk, confirmed="1")
    assert done.status_code == 302
    assert state_of(letter.pk).state == Event.State.PENDING
    assert "1 dead letter requeued" in browser.get(LIST).text  # the session is still known
