"""docs/configuration.md and the code say the same."""

from __future__ import annotations

import dataclasses
import re

import pytest

from cachecore.conf import CacheConf
from events.conf import EventConf
from rhiz import settings
from tests.project.settings_process import ROOT

ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>.+?) \| (?P<accepts>.+?) \| (?P<meaning>.+?) \|$", re.M)
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text()
DOCUMENTED = {row["name"]: row for row in ROW.finditer(DOCUMENT)}


def test_every_variable_is_documented_and_no_other() -> None:
    assert set(DOCUMENTED) == set(settings.env.variables)


@pytest.mark.parametrize("name", sorted(settings.env.variables))
def test_the_document_tells_default_and_what_is_accepted(name: str) -> None:
    variable = settings.env.variables[name]
    row = DOCUMENTED[name]

    assert row["default"] == (f"`{variable.default}`" if variable.default else "-")
    assert row["accepts"] == variable.accepts


@pytest.mark.parametrize(("prefix", "conf"), [("EVENT", EventConf()), ("CACHE", CacheConf())])
def test_an_app_alone_has_the_same_defaults(prefix: str, conf: EventConf | CacheConf) -> None:
    for field in dataclasses.fields(conf):
        value = getattr(conf, field.name)
        written = str(int(value)) if isinstance(value, bool) else str(value)
        assert settings.env.variables[f"{prefix}_{field.name.upper()}"].default == written
