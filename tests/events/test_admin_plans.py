"""What each page of the admin asks of the log walks an index, on either database, however full the log is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from events import stats
from events.admin.links import life_of
from events.admin.question import STATES
from events.models import DeadLetter
from tests.events.filled import fill
from tests.events.letters import DECIDE, LIST, dead

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = ("events_event", "events_batch")  # those that grow with all that was ever received
MOST = 40  # statements of a page


@pytest.fixture
def letter() -> DeadLetter:
    """One of 20,000 events, a few of them dead; analyzed when the log was empty."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in TABLES:
                cursor.execute(f"alter table {table} set (autovacuum_enabled = off)")
        cursor.execute("analyze")
        fill(20_000, [f"did:plc:{n}" for n in range(5_000)], batch=10)
    return dead(60)[0]


@dataclass
class Plans:
    """Explains each statement about the log just before it is sent, under the settings that it is sent with."""

    statements: int = 0
    about: list[str] = field(default_factory=list)
    in_full: list[str] = field(default_factory=list)

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        self.statements += 1
        if "events_" in sql and sql.lstrip().lower().startswith(("select", "with", "update", "delete")):
            self.about.append(sql)
            if _in_full(sql, params):
                self.in_full.append(sql)
        return execute(sql, params, many, context)


def _in_full(sql: str, params: Any) -> bool:
    """Whether the plan of a statement reads the log without an index."""
    with closing(connection.create_cursor()) as cursor:  # one that no wrapper sees
        if connection.vendor == "postgresql":
            cursor.execute(f"explain {sql}", params)
            return any(f"Seq Scan on {table}" in row[0] for row in cursor.fetchall() for table in TABLES)
        cursor.execute(f"explain query plan {sql}", params)
        steps = [row[3].split() for row in cursor.fetchall()]
    scans = [step for step in steps if step[0] == "MATERIALIZE" or (step[0] == "SCAN" and "USING" not in step)]
    return any(step[1] in (*TABLES, "e", "b", "events_state") for step in scans)


PAGES = {
    "pipeline": "/admin/events/pipeline/",
    "letters": LIST,
    "of a reason": f"{LIST}?reason=ValueError%3A+strength+%23",
    "of a type": f"{LIST}?event_type=test.record",
    "of a DID": f"{LIST}?did=did:plc:alice",
    "unexplained": f"{LIST}?unexplained=1",
    "since": f"{LIST}?since=2000-01-01T00:00:00&until=2100-01-01T00:00:00",
    "older": f"{LIST}?after=2100-01-01T00:00:00%2B00:00_5",
    "events": "/admin/events/event/",
    **{f"events {label}": f"/admin/events/event/?state={state}" for state, label in STATES},
    "events of a DID": "/admin/events/event/?q=did:plc:alice",
    "events of a record": "/admin/events/event/?q=at://did:plc:7/net.rhiz.test/7",
    "events of a time": "/admin/events/event/?since=2000-01-01T00:00:00",
    "life": life_of("did:plc:alice"),
    "bulk actions": "/admin/events/bulkaction/",
    "workers": "/admin/events/worker/",
}


@pytest.mark.parametrize("name", [*PAGES, "letter", "edit", "history", "event", "requeue all?", "discard selected?"])
def test_no_page_reads_the_log_in_full(letter: DeadLetter, admin_client: Client, name: str) -> None:
    of = f"{LIST}{letter.pk}/"
    pages = {**PAGES, "letter": f"{of}change/", "edit": f"{of}edit/", "history": f"{of}history/"}
    pages["event"] = f"/admin/events/event/{letter.pk}/change/"
    asked = {
        "requeue all?": {"verb": "requeue", "scope": "filter", "reason": letter.reason},
        "discard selected?": {"verb": "discard", "scope": "selected", "selected": [letter.pk]},
    }
    stats.recent.forget()
    plans = Plans()
    with connection.execute_wrapper(plans):
        response = admin_client.post(DECIDE, asked[name]) if name in asked else admin_client.get(pages[name])
    assert response.status_code == 200
    assert plans.statements <= MOST
    assert plans.about or name in ("bulk actions", "workers", "history")
    assert plans.in_full == []
