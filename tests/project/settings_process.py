"""Runs a command in a process with an environment of its own, because settings are read once a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# What an operator has to set, and no more.
PRODUCTION = {
    "SECRET_KEY": "r1-0qmW8sJ2xZyT4vB6nK9pL3dF5gH7jC_aE-uIoQ",
    "INTERNAL_API_KEY": "i2-9xkV7rH1wYzS3uA5mJ8oK2cE4fG6hB_dD-tPnR",
    "ALLOWED_HOSTS": "rhiz.example.org",
}


def run(*command: str, variables: dict[str, str] | None = None, env_file: str = "") -> subprocess.CompletedProcess[str]:
    """Run `python *command` at the project's root with `variables` and nothing else of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    environment = {**kept, "ENV_FILE": env_file, "DATABASE_URL": "sqlite://:memory:", **(variables or {})}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def setting(expression: str, variables: dict[str, str], env_file: str = "") -> str:
    """What `expression` over `settings` is under `variables`."""
    script = f"from rhiz import settings; print(({expression}))"
    done = run("-c", script, variables=variables, env_file=env_file)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
