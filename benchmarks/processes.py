"""Worker processes of whoever is measured: started, watched, and ended by their id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable


class BenchmarkError(Exception):
    """What was to be measured did not happen."""


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with `variables`, and without a developer's own settings."""
    return {**os.environ, "ENV_FILE": "", **variables}


@contextmanager
def running(
    command: Sequence[str], environ: dict[str, str], count: int = 1, *, stdout: int | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """`count` processes of `command`; those that still run at the end are told to stop, then killed."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            started.append(subprocess.Popen(command, env=environ, cwd=ROOT, stdout=stdout))
        yield started
    finally:
        for process in started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_end(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    """Wait until all have ended well. Raises BenchmarkError if one did not, or not in time."""
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"not finished after {seconds:.0f} s: {process.args!r}") from None
        if code != 0:
            raise BenchmarkError(f"ended with {code}: {process.args!r}")


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `ready()`. Raises BenchmarkError if that takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{what}: not after {seconds:.0f} s")
        time.sleep(0.02)


def output_of(command: Sequence[str], environ: dict[str, str], seconds: float = 600.0) -> bytes:
    """What `command` prints. Raises BenchmarkError if it fails."""
    done = subprocess.run(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, timeout=seconds, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"ended with {done.returncode}: {command!r}")
    return done.stdout
