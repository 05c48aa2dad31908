"""`make run`: a web server and a worker on this machine, from nothing.

Makes `.env` and an admin login the first time, migrates, starts both processes, says what to try, and stops both
on Ctrl-C. Standard library only, apart from reading the port and the keys out of `.env`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / (os.environ.get("ENV_FILE") or ".env")
MANAGE = [sys.executable, "manage.py"]
HOST = "127.0.0.1"
START_LIMIT = 30.0  # seconds for the web server's first answer
STOP_LIMIT = 10.0  # seconds for a process to end after SIGTERM
WORKER_PAUSE = 1.0  # seconds before a worker that died is started again


def main() -> int:
    _write_env_file()
    # What the shell sets goes before the file, as in the settings.
    os.environ.update({name: value or "" for name, value in dotenv_values(ENV_FILE).items() if name not in os.environ})
    # Nobody here waits for the web server to take leave of a load balancer.
    os.environ.setdefault("DRAIN_DELAY", "0")
    with _foreground(), _interruptible():
        try:
            return _run()
        except KeyboardInterrupt:
            return 0


def _run() -> int:
    port = os.environ.get("PORT") or "8000"
    subprocess.run([*MANAGE, "migrate", "--verbosity", "0"], cwd=ROOT, check=True)
    _create_admin()
    server = [sys.executable, "-m", "uvicorn", "rhiz.asgi:application", "--host", HOST, "--port", port]
    web = _start([*server, "--no-access-log", "--log-level", "warning"])
    worker = _start([*MANAGE, "runworker"])
    try:
        if _answers(web, f"http://{HOST}:{port}"):
            print(_welcome(f"http://{HOST}:{port}"), flush=True)
        while web.poll() is None:
            if worker.poll() is not None:
                print(f"The worker ended ({worker.returncode}); starting another.", file=sys.stderr)
                time.sleep(WORKER_PAUSE)
                worker = _start([*MANAGE, "runworker"])
            time.sleep(0.2)
        print(f"The web server ended ({web.returncode}).", file=sys.stderr)
        return web.returncode or 1
    finally:
        _stop(web, worker)


def _write_env_file() -> None:
    """Keys and an admin login of this machine's own, once."""
    if ENV_FILE.exists():
        return
    lines = {
        "DEBUG": "1",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "INTERNAL_API_KEY": secrets.token_urlsafe(32),
        # Django's own names: `createsuperuser --noinput` reads them.
        "DJANGO_SUPERUSER_USERNAME": "admin",
        "DJANGO_SUPERUSER_EMAIL": "admin@localhost",
        "DJANGO_SUPERUSER_PASSWORD": secrets.token_urlsafe(12),
    }
    with os.fdopen(os.open(ENV_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in lines.items())
    print(f"Wrote .env. The admin login is admin / {lines['DJANGO_SUPERUSER_PASSWORD']}")


def _create_admin() -> None:
    """The login of `.env`, unless there is a superuser already."""
    script = (
        "from django.contrib.auth import get_user_model as m; "
        "raise SystemExit(m().objects.filter(is_superuser=True).exists())"
    )
    missing = subprocess.run([*MANAGE, "shell", "--no-imports", "-c", script], cwd=ROOT, check=False).returncode == 0
    if missing and os.environ.get("DJANGO_SUPERUSER_PASSWORD"):
        command = [*MANAGE, "createsuperuser", "--noinput", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, check=True)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    # A process group of its own: Ctrl-C reaches this launcher alone, which then stops both in order.
    return subprocess.Popen(command, cwd=ROOT, process_group=0)


def _stop(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        process.terminate()
    limit = time.monotonic() + STOP_LIMIT
    for process in processes:
        try:
            process.wait(max(limit - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(web: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the web server answers; False if it ended or took too long."""
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit and web.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=1):
            return True
        time.sleep(0.1)
    return False


def _welcome(url: str) -> str:
    """What to try, ready to paste."""
    key = os.environ.get("INTERNAL_API_KEY", "")
    did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
    event = {
        "event_type": "relationship.created",
        "did": did,
        "payload": {
            "uri": f"at://{did}/net.rhiz.relationship/3kabcdefghi2x",
            "cid": "bafyreihbqsyhbqsyhbqsyhbqsyhbqsyhbqsyhbqsyhbqsyhbqsyhbqsy",
            "participants": [did, "did:plc:z72i7hdynmk6r22z27h6tvur"],
            "type": "professional",
            "strength": 80,
            "context": "worked together",
            "created_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        },
    }
    login = os.environ.get("DJANGO_SUPERUSER_USERNAME", "admin")
    return f"""
rhiz runs at {url} with one worker. Ctrl-C stops both.

Send an event:

  curl -s {url}/internal/events -H 'Content-Type: application/json' \\
    -H 'X-Internal-Key: {key}' \\
    -d '{json.dumps(event)}'

See what became of it:

  {url}/admin/                      log in as {login}; the password is DJANGO_SUPERUSER_PASSWORD in .env
  {url}/admin/events/event/         the log
  {url}/admin/graph/relationship/   the relationship

Ask how it is:

  curl -s {url}/health
  curl -s {url}/health/ready
  curl -s {url}/health/detailed
"""


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the launcher as Ctrl-C does; while it stops its processes, further signals wait."""

    def interrupt(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    yield


@contextlib.contextmanager
def _foreground() -> Iterator[None]:
    """Take the terminal from make while running, so that Ctrl-C ends the launcher and make ends well after it."""
    if not sys.stdin.isatty() or os.tcgetpgrp(0) != os.getpgrp():
        yield
        return
    former = os.getpgrp()
    # Writing to the terminal settings from the background must not stop us, nor must Ctrl-Z: nobody could resume us.
    for number in (signal.SIGTTOU, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(0, former)


if __name__ == "__main__":
    sys.exit(main())
