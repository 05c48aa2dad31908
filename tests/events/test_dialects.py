"""Both dialects of the log are called alike."""

from __future__ import annotations

import inspect

import pytest

from events.log import postgres, sqlite

pytestmark = pytest.mark.once


def test_both_dialects_have_the_same_names() -> None:
    assert postgres.__all__ == sqlite.__all__


@pytest.mark.parametrize("name", [name for name in postgres.__all__ if name.islower()])
def test_a_statement_takes_the_same_in_both(name: str) -> None:
    of_postgres, of_sqlite = (inspect.signature(getattr(dialect, name)) for dialect in (postgres, sqlite))
    assert of_postgres.parameters == of_sqlite.parameters
