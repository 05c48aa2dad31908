"""No question about dead letters reads the log: each walks its index, whatever the planner was last told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import bulk
from events.dead_letters import Filter
from events.models import DeadLetter
from tests.events.filled import fill
from tests.events.letters import DECIDE, LIST

TABLES = ("events_event", "events_batch")  # those that grow with all that was ever received

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=["analyzed when it was empty", "analyzed when it was full"])
def filled(request: pytest.FixtureRequest) -> None:
    """A log of 40,000 events, 800 of them dead."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"alter table {table} set (autovacuum_enabled = off)")
            cursor.execute(f"analyze {table}")
        fill(40_000, [f"did:plc:{n}" for n in range(5_000)], dead_every=50, types=4)
        if request.param.endswith("full"):
            for table in TABLES:
                cursor.execute(f"vacuum analyze {table}")


def plans(ask: Callable[[], Any]) -> list[tuple[str, str]]:
    """Each statement about the log that `ask` sends, with its plan."""
    with CaptureQueriesContext(connection) as queries:
        ask()
    found = []
    with connection.cursor() as cursor:
        for sql in (q["sql"] for q in queries.captured_queries):
            if "events_" in sql and sql.lstrip().lower().startswith(("select", "with", "update", "delete")):
                found.append((sql, _plan(cursor, sql)))
    return found


def _plan(cursor: CursorWrapper, sql: str) -> str:
    cursor.execute(f"explain {sql}")
    return "\n".join(row[0] for row in cursor.fetchall())


def test_no_page_and_no_decision_reads_the_log(filled: None, admin_client: Client) -> None:
    letter = DeadLetter.objects.latest("pk")
    reason = letter.reason.replace("#", "%23")
    asked: list[Callable[[], Any]] = [
        lambda: admin_client.get(LIST),
        lambda: admin_client.get(f"{LIST}?reason={reason}"),
        lambda: admin_client.get(f"{LIST}?event_type={letter.event_type}"),
        lambda: admin_client.get(f"{LIST}?did={letter.did}"),
        lambda: admin_client.get(f"{LIST}?since=2000-01-01T00:00:00&after=2026-01-01T00:00:00%2B00:00_5"),
        lambda: admin_client.get(f"{LIST}{letter.pk}/change/"),
        lambda: admin_client.post(DECIDE, {"verb": "requeue", "scope": "filter", "reason": letter.reason}),
        lambda: admin_client.post(DECIDE, {"verb": "requeue", "scope": "selected", "selected": letter.pk}),
    ]
    for ask in asked:
        found = plans(ask)
        assert found
        for sql, plan in found:
            assert not any(f"Seq Scan on {table}" in plan for table in TABLES), f"{sql}\n{plan}"


def test_a_bulk_actions_batch_reads_its_window_only(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.auth.models import User

    monkeypatch.setattr(bulk, "AT_ONCE", 0)
    operator = User.objects.create(username="operator")
    chosen = Filter(event_type="test.0", since=timezone.now() - timedelta(days=1))
    assert bulk.decide(operator, "requeue", chosen).action
    for sql, plan in plans(bulk.run_batch):
        assert not any(f"Seq Scan on {table}" in plan for table in TABLES), f"{sql}\n{plan}"
