"""The tree's own rules: contracts exist, and nothing reads the environment but the settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.project.settings_process import ROOT

PRODUCTION = ("rhiz", "events", "cachecore", "health")


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in path.parts)


def test_import_contracts_name_every_package() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]

    assert {*PRODUCTION, "tests"} <= set(linter["root_packages"])
    assert {contract["type"] for contract in linter["contracts"]} == {"forbidden", "layers"}


def test_only_the_settings_read_the_environment() -> None:
    # The rest names the settings module for Django, or starts processes with an environment of theirs.
    readers = {"rhiz/settings.py", "rhiz/environment.py", "rhiz/launch.py"}
    uses = re.compile(r"os\.(environ(?!\.setdefault\(\"DJANGO_SETTINGS_MODULE\")|getenv)")
    found = {str(path.relative_to(ROOT)) for path in _sources(*PRODUCTION) if uses.search(path.read_text())}

    assert found <= readers
