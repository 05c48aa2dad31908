"""What each page of the admin asks of the log walks an index, on either database, however full the log is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from events import stats
from events.admin.links import life_of
from events.models import Event, Lane
from tests.events.letters import DECIDE, LIST, dead
from tests.integration.test_bulk_requeue import FILL

pytestmark = pytest.mark.django_db(transaction=True)

MOST = 40  # statements of a page


@pytest.fixture
def letter() -> Event:
    """One of 20,000 events, a few of them dead; analyzed when the log was empty."""
    Lane.ensure()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("alter table events_event set (autovacuum_enabled = off)")
        cursor.execute("analyze")
        cursor.execute(FILL[connection.vendor], {"all": 20_000})
    Event.objects.update(state=Event.State.DONE, finished_at=timezone.now())
    return dead(60)[0]


@dataclass
class Plans:
    """Explains each statement about the log just before it is sent, under the settings that it is sent with."""

    statements: int = 0
    about: list[str] = field(default_factory=list)
    in_full: list[str] = field(default_factory=list)

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        self.statements += 1
        if "events_event" in sql and sql.lstrip().lower().startswith(("select", "with", "update", "delete")):
            self.about.append(sql)
            if _in_full(sql, params):
                self.in_full.append(sql)
        return execute(sql, params, many, context)


def _in_full(sql: str, params: Any) -> bool:
    """Whether the plan of a statement reads the log without an index."""
    with closing(connection.create_cursor()) as cursor:  # one that no wrapper sees
        if connection.vendor == "postgresql":
            cursor.execute(f"explain {sql}", params)
            return any("Seq Scan on events_event" in row[0] for row in cursor.fetchall())
        cursor.execute(f"explain query plan {sql}", params)
        steps = [row[3].split() for row in cursor.fetchall()]
    return any(step[:2] in (["SCAN", "events_event"], ["SCAN", "e"]) and "USING" not in step for step in steps)


PAGES = {
    "pipeline": "/admin/events/pipeline/",
    "letters": LIST,
    "of a reason": f"{LIST}?reason=ValueError%3A+strength+%23",
    "of a type": f"{LIST}?event_type=test.record",
    "of a DID": f"{LIST}?did=did:plc:alice",
    "unexplained": f"{LIST}?unexplained=1",
    "since": f"{LIST}?since=2000-01-01T00:00:00&until=2100-01-01T00:00:00",
    "older": f"{LIST}?after=2100-01-01T00:00:00%2B00:00_5",
    "untimed": f"{LIST}?after=_5",
    "events": "/admin/events/event/",
    "events of a state": "/admin/events/event/?state=2",
    "events of a time": "/admin/events/event/?since=2000-01-01T00:00:00",
    "life": life_of("did:plc:alice"),
    "bulk actions": "/admin/events/bulkaction/",
    "workers": "/admin/events/worker/",
}


@pytest.mark.parametrize("name", [*PAGES, "letter", "edit", "history", "event", "requeue all?", "discard selected?"])
def test_no_page_reads_the_log_in_full(letter: Event, admin_client: Client, name: str) -> None:
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
