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


def lines(directory: Path, *options: str) -> list[dict[str, str]]:
    """What a web server prints from its start to its end, with one request between."""
    database = f"sqlite:///{directory / 'db.sqlite3'}"
    variables = {"DATABASE_URL": database, "ENV_FILE": "", "LOG_FORMAT": "json", "DRAIN_DELAY": "0"}
    port = free_port()
    said = directory / "said"
    with said.open("wb") as output:
        web = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(port), *options],
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

    return [json.loads(line) for line in said.read_text().splitlines()]


def test_every_line_of_a_web_server_is_json(tmp_path: Path) -> None:
    said = lines(tmp_path)
    events = " ".join(line["event"] for line in said)
    assert "Started server process" in events
    assert "GET /health HTTP/1.1" in events  # the line of access
    assert "Finished server process" in events
    assert {"time", "level", "logger"} <= set.intersection(*(set(line) for line in said))


def test_uvicorns_own_level_holds_for_its_lines(tmp_path: Path) -> None:
    loggers = {line["logger"] for line in lines(tmp_path, "--log-level", "warning")}
    assert not {logger for logger in loggers if logger.startswith("uvicorn")}
