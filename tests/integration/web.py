"""A real web server, as platforms run it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import httpx
from django.conf import settings

from tests.integration.conftest import ROOT
from tests.servers import free_port


class WebProcess:
    """One uvicorn with `rhiz.asgi:application`, on a port that stays its own when it is killed and started again."""

    def __init__(self, url: str, *, log: Path | None = None, **environment: str) -> None:
        """`url` is its database's; what it says goes to `log`, else where the tests' own lines go."""
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": url,
            "DRAIN_DELAY": "0",
            **environment,
        }
        self.start()

    def __enter__(self) -> WebProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; it answers some seconds later."""
        command = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--port", str(self.port)]
        with ExitStack() as opened:
            lines = opened.enter_context(self._log.open("ab")) if self._log else None
            self.process = subprocess.Popen(
                [*command, "--no-access-log", "--log-level", "error"],
                cwd=ROOT,
                env=self._environment,
                stdout=lines,
                stderr=lines and subprocess.STDOUT,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        """Whether it runs and its door is open."""
        try:
            return httpx.get(f"{self.address}/health").status_code == 200
        except httpx.HTTPError:
            return False

    def client(self, timeout: float = 10.0) -> httpx.Client:
        """A client that has the key; `timeout` in seconds."""
        return httpx.Client(
            base_url=self.address, headers={"X-Internal-Key": settings.INTERNAL_API_KEY}, timeout=timeout
        )
