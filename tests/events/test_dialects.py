"""Both dialects of the log are called alike."""

from __future__ import annotations

import inspect

import pytest

from events.log import postgres, sqlite
from events.log.postgres import watermark

pytestmark = pytest.mark.once


def test_both_dialects_have_the_same_names_except_for_watermarks() -> None:
    """SQLite keeps no index entries of deleted rows, and so has no low watermarks."""
    others = set(postgres.__all__) - set(sqlite.__all__)
    assert set(sqlite.__all__) < set(postgres.__all__)
    assert {getattr(postgres, name).__module__ for name in others} == {watermark.__name__}


@pytest.mark.parametrize("name", [name for name in sqlite.__all__ if name.islower()])
def test_a_statement_takes_the_same_in_both(name: str) -> None:
    of_postgres, of_sqlite = (inspect.signature(getattr(dialect, name)) for dialect in (postgres, sqlite))
    assert of_postgres.parameters == of_sqlite.parameters
