"""docs/openapi.yaml is what the views say of themselves, and OpenAPI 3.1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "openapi.yaml"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "rhiz.settings", "DATABASE_URL": "", "REDIS_URL": "", "CACHE_BACKEND": ""}


def test_the_document_is_the_generated_one() -> None:
    """In a process of its own: the tests' settings have event types that nobody else does. `make openapi` writes it."""
    command = [sys.executable, "manage.py", "spectacular", "--fail-on-warn"]
    made = subprocess.run(command, cwd=ROOT, env={**os.environ, **SETTINGS}, capture_output=True, text=True, check=True)
    assert made.stdout == DOCUMENT.read_text()


def test_it_is_openapi_3_1() -> None:
    document = yaml.safe_load(DOCUMENT.read_text())
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()
