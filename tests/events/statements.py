"""The log's statements as tests need them: run in a session of their own, or with something done before one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from events.envelope import NewEvent
from events.log import database
from events.log.append_protocol import document
from events.log.database import Rows, bound

# Of this database: other tests run on the same server.
WAITING_FOR_THE_LOG = """
select 1 from pg_locks join pg_database on pg_database.oid = pg_locks.database
where not granted and relation = 'events_event'::regclass and datname = current_database()
"""


def append_in(session: psycopg.Connection[Any], *events: NewEvent) -> None:
    """Append events in the session's transaction."""
    given = {"document": document(list(events), lambda moment: moment.isoformat()), "patience": None}
    psycopg.RawCursor(session).execute(*bound("append", given))


def before(monkeypatch: pytest.MonkeyPatch, name: str, action: Callable[[dict[str, Any]], None]) -> None:
    """Call `action` with the parameters before the first run of the statement of this name."""
    execute = database.execute

    def acting(statement: str, parameters: dict[str, Any]) -> tuple[Rows, int]:
        if statement == name:
            monkeypatch.setattr(database, "execute", execute)
            action(parameters)
        return execute(statement, parameters)

    monkeypatch.setattr(database, "execute", acting)
