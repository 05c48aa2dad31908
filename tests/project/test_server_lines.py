"""What a web server prints: every line in the chosen form, uvicorn's own included."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx

from tests.integration.conftest import eventually
from tests.project.settings_process import PRODUCTION, ROOT
from tests.servers import free_port


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def test_every_line_of_a_web_server_is_json(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    variables = {"DATABASE_URL": database, "ENV_FILE": "", "LOG_FORMAT": "json", "DRAIN_DELAY": "0"}
    port = free_port()
    said = tmp_path / "said"
    with said.open("wb") as output:
        web = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(port)],
            cwd=ROOT,
            env={**PRODUCTION, **variables},
            stdout=output,
            stderr=output,
        )
        try:
            eventually(lambda: _answers(f"http://127.0.0.1:{port}/health"), within=30)
        finally:
            web.terminate()
            web.wait(30)

    lines = [json.loads(line) for line in said.read_text().splitlines()]
    events = " ".join(line["event"] for line in lines)
    assert "Started server process" in events
    assert "GET /health HTTP/1.1" in events  # the line of access
    assert "Finished server process" in events
    assert {"time", "level", "logger"} <= set.intersection(*(set(line) for line in lines))
