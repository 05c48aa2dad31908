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
from events.models import Event
from tests.events.letters import DECIDE, LIST
from tests.integration.test_dead_letter_limits import FILL

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=["analyzed when it was empty", "analyzed when it was full"])
def filled(request: pytest.FixtureRequest) -> None:
    """A log of 40,000 events, 800 of them dead."""
    with connection.cursor() as cursor:
        cursor.execute("alter table events_event set (autovacuum_enabled = off)")
        cursor.execute("analyze events_event")
        cursor.execute(FILL, {"all": 40_000, "every": 50})
        if request.param.endswith("full"):
            cursor.execute("vacuum analyze events_event")


def plans(ask: Callable[[], Any]) -> list[tuple[str, str]]:
    """Each statement about events that `ask` sends, with its plan."""
    with CaptureQueriesContext(connection) as queries:
        ask()
    found = []
    with connection.cursor() as cursor:
        for sql in (q["sql"] for q in queries.captured_queries):
            if "events_event" in sql and sql.lstrip().upper().startswith(("SELECT", "WITH", "UPDATE")):
                found.append((sql, _plan(cursor, sql)))
    return found


def _plan(cursor: CursorWrapper, sql: str) -> str:
    cursor.execute(f"explain {sql}")
    return "\n".join(row[0] for row in cursor.fetchall())


def test_no_page_and_no_decision_reads_the_log(filled: None, admin_client: Client) -> None:
    letter = Event.objects.dead().latest("id")
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
            assert "Seq Scan on events_event" not in plan, f"{sql}\n{plan}"


def test_a_bulk_actions_batch_reads_its_window_only(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.auth.models import User

    monkeypatch.setattr(bulk, "AT_ONCE", 0)
    operator = User.objects.create(username="operator")
    chosen = Filter(event_type="test.0", since=timezone.now() - timedelta(days=1))
    assert bulk.decide(operator, "requeue", chosen).action
    for sql, plan in plans(bulk.run_batch):
        assert "Seq Scan on events_event" not in plan, f"{sql}\n{plan}"
