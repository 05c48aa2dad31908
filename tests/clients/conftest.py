"""The TypeScript client, built with a Node of the environment's own, and a web server for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, database_url, eventually
from tests.integration.web import WebProcess

KEY = "a-key-for-the-indexer-0123456789-abcdefghij"
FOLDER = ROOT / "clients" / "typescript"


def environment(**more: str) -> dict[str, str]:
    """The process's environment, in which `node` and `npm` are those of requirements-dev.txt.

    They trust whom the system trusts: a company's proxy, say.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "NODE_USE_SYSTEM_CA": "1", **more}


def npm(*arguments: str, **more: str) -> str:
    """Run npm in the client's folder; what it said. Fails with all of that where npm fails."""
    done = subprocess.run(
        ["npm", *arguments],
        cwd=FOLDER,
        env=environment(CI="1", **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def installed() -> None:
    """The client's development dependencies, exactly as its lock file has them."""
    lock, copy = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".installed"
    if not copy.exists() or copy.read_bytes() != lock.read_bytes():
        npm("ci")
        copy.write_bytes(lock.read_bytes())


@pytest.fixture
def web(transactional_db: None, tmp_path: Path) -> Iterator[WebProcess]:
    """A web server with the project's own settings that answers."""
    log = tmp_path / "web.log"
    settings = {
        "DJANGO_SETTINGS_MODULE": "rhiz.settings",
        "DEBUG": "0",
        "SECRET_KEY": "a-secret-for-the-web-server-0123456789-abcdefghij",
        "ALLOWED_HOSTS": "127.0.0.1",
        "INTERNAL_API_KEY": KEY,
        "INTERNAL_RATE_LIMIT": "100000000/second",
        "LOG_LEVEL": "WARNING",
    }
    with WebProcess(database_url(), log=log, **settings) as server:
        eventually(server.answers, within=60, what="the web server answers")
        yield server
    assert "Traceback" not in log.read_text()


@pytest.fixture
def address(web: WebProcess) -> dict[str, str]:
    """What the client's tests must know of the server."""
    return {"RHIZ_URL": web.address, "RHIZ_KEY": KEY}
