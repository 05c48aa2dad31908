"""Web server, worker, PostgreSQL and Redis of a test's own, the network between them in its hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil

from tests.integration.conftest import ROOT, eventually
from tests.proxy import Mode, Proxy
from tests.servers import PostgreSQL, Valkey, free_port

KEY = "an-internal-key-for-the-stage-0123456789-abcdefghij"
DATABASE, REDIS, BOTH = "database", "Redis", "both"
POOL = 11  # connections that the web server's pool may hold: EVENT_WORKERS + 10
FREEZE, BLACK_HOLE, STOP = "frozen", "black-holed", "stopped"


class Stage:
    """Everything runs while the block does, under load on the intake."""

    def __enter__(self) -> Stage:
        with ExitStack() as stack:
            self.database = stack.enter_context(PostgreSQL())
            self.redis = stack.enter_context(Valkey())
            self._networks = {
                DATABASE: stack.enter_context(Proxy(self._socket())),
                REDIS: stack.enter_context(Proxy(self.redis.port)),
            }
            self._environment = self._variables()
            manage = [sys.executable, "manage.py"]
            subprocess.run([*manage, "migrate", "-v", "0"], cwd=ROOT, env=self._environment, check=True, timeout=120)
            web, worker = free_port(), free_port()
            self.web_address, self.worker_address = f"127.0.0.1:{web}", f"127.0.0.1:{worker}"
            serve = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--no-access-log"]
            self.web = self._run(stack, *serve, "--log-level", "warning", "--port", str(web))
            self.worker = self._run(stack, *manage, "runworker", "--workers", "2", "--health-port", str(worker))
            self.client = stack.enter_context(httpx.Client(timeout=5, headers={"X-Internal-Key": KEY}))
            eventually(self.is_well, within=60, what="web and worker are ready")
            load = (sys.executable, "-m", "tests.health.load", f"http://{self.web_address}", KEY)
            self.load = self._run(stack, *load)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def begin(self, whom: str, fault: str) -> None:
        """Let a fault begin; when this returns it is there."""
        for name in self._meant(whom):
            if fault == BLACK_HOLE:
                self._networks[name].set(Mode.HANG)
            elif fault == FREEZE:
                self._server(name).signal(signal.SIGSTOP)
            elif name == DATABASE:
                self.database.stop("immediate")
            else:
                self.redis.kill()

    def end(self, whom: str, fault: str) -> None:
        """Let it end; when this returns, the servers can be reached."""
        for name in self._meant(whom):
            if fault == BLACK_HOLE:
                self._networks[name].set(Mode.PASS)
            elif fault == FREEZE:
                self._server(name).signal(signal.SIGCONT)
            else:
                self._server(name).start()

    def ask(self, address: str, path: str = "/health/ready") -> tuple[int, dict[str, Any]]:
        """The status code and body of an answer; 0 if there is none."""
        try:
            answer = self.client.get(f"http://{address}{path}")
        except httpx.HTTPError:
            return 0, {}
        return answer.status_code, answer.json()

    def processed(self) -> int:
        """How many events were applied since the log began."""
        _, body = self.ask(self.web_address, "/health/detailed")
        return int(body["dependencies"]["event_pipeline"]["events_processed"])

    def is_well(self) -> bool:
        """Whether web and worker are ready, and nothing is degraded."""
        web, worker = self.ask(self.web_address), self.ask(self.worker_address)
        return (web[0], web[1].get("status"), worker[0]) == (200, "ready", 200)

    def believes(self, whom: str) -> bool:
        """Whether web and worker answer as they should while a fault of `whom` lasts."""
        (code, body), (worker, _) = self.ask(self.web_address), self.ask(self.worker_address)
        told = {name: one["status"] for name, one in body.get("dependencies", {}).items()}
        if whom == REDIS:
            return (code, told.get("cache"), worker) == (200, "degraded", 200)
        if whom == BOTH and told.get("cache") == "ok":
            return False
        return (code, told.get("database"), worker) == (503, "fail", 503)

    def serves(self) -> bool:
        """Whether database and Redis count as well again, whatever the pipeline has yet to catch up with."""
        (code, body), (worker, _) = self.ask(self.web_address), self.ask(self.worker_address)
        told = {name: one["status"] for name, one in body.get("dependencies", {}).items()}
        return (code, told.get("database"), told.get("cache"), worker) == (200, "ok", "ok", 200)

    def held(self) -> dict[str, int]:
        """What web and worker hold of the system: threads, file descriptors, connections."""
        counts = {}
        for name, process in (("web", psutil.Process(self.web.pid)), ("worker", psutil.Process(self.worker.pid))):
            counts[f"{name} threads"] = process.num_threads()
            counts[f"{name} descriptors"] = process.num_fds()
            counts[f"{name} connections"] = len(process.net_connections("all"))
        return counts

    def _server(self, name: str) -> PostgreSQL | Valkey:
        return self.database if name == DATABASE else self.redis

    def _meant(self, whom: str) -> tuple[str, ...]:
        return (DATABASE, REDIS) if whom == BOTH else (whom,)

    def _socket(self) -> Path:
        [directory] = parse_qs(urlsplit(self.database.url).query)["host"]
        return Path(directory) / ".s.PGSQL.5432"

    def _variables(self) -> dict[str, str]:
        url = urlsplit(self.database.url)
        host = f"{url.username or 'postgres'}:{url.password or ''}@127.0.0.1:{self._networks[DATABASE].port}"
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DEBUG": "0",
            "SECRET_KEY": "a-key-for-the-stage-0123456789-abcdefghijklmnopqrst",
            "INTERNAL_API_KEY": KEY,
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": url._replace(netloc=host, query="sslmode=disable").geturl(),
            "REDIS_URL": self._networks[REDIS].redis_url,
            "CACHE_BACKEND": "redis",
            "EVENT_WORKERS": "1",
            "EVENT_QUEUE_CAPACITY": "10000000",
            "DRAIN_DELAY": "0",
            "LOG_LEVEL": "CRITICAL",
        }

    def _run(self, stack: ExitStack, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=ROOT, env=self._environment)
        stack.callback(process.wait, 30)
        stack.callback(process.kill)
        return process
