"""A real web server on an address that stays its own while it is killed and started again."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from tests.integration.conftest import ROOT, database_url, eventually
from tests.servers import free_port

KEY = "a-key-for-the-indexer-0123456789-abcdefghij"


class WebServer:
    """One uvicorn with the project's own settings, against the test database."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "rhiz.settings",
            "DATABASE_URL": database_url(),
            "DEBUG": "0",
            "SECRET_KEY": "a-secret-for-the-web-server-0123456789-abcdefghij",
            "ALLOWED_HOSTS": "127.0.0.1",
            "INTERNAL_API_KEY": KEY,
            "INTERNAL_RATE_LIMIT": "100000000/second",
            "DRAIN_DELAY": "0",
            "LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        eventually(self._answers, within=60, what="the web server answers")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        return False
