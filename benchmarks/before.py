"""The SQLite drain of an older commit, by that commit's own code, from a checkout of it (`--before PATH`).

The checkout runs with this project's interpreter and packages. Its `benchmarks.sqlite` must have the functions that the
script below calls.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.processes import PYTHON, BenchmarkError, environment

SCRIPT = """
import sys
from pathlib import Path
from benchmarks import sqlite

step, full, events = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
if step == "fill":
    sqlite._fill(full, events)
else:
    file = sqlite._copy(full)
    print(sqlite._drain(file, sqlite._ours(file).command(), events))
"""


class Before:
    """An older commit on a log of its own, which lies at `full`; each drain works on a fresh copy of it."""

    def __init__(self, checkout: Path, full: Path, events: int) -> None:
        self.checkout = checkout
        self.full = full
        self.events = events
        full.parent.mkdir()
        self._run("fill")

    @property
    def drained(self) -> Path:
        """The file that the last drain left."""
        return self.full.parent / "run.sqlite3"

    def drain(self) -> float:
        """Drain the log; return the rate in events per second."""
        return float(self._run("drain").split()[-1])

    def _run(self, step: str) -> str:
        command = [PYTHON, "-c", SCRIPT, step, str(self.full), str(self.events)]
        done = subprocess.run(
            command, env=environment(), cwd=self.checkout, stdout=subprocess.PIPE, text=True, timeout=900, check=False
        )
        if done.returncode != 0:
            raise BenchmarkError(f"{step} in {self.checkout} ended with {done.returncode}")
        return done.stdout
