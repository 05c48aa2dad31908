"""Finding events walks an index, whatever is combined, and whatever the planner was last told of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from events.admin.search import Wanted, find
from events.models import Event
from tests.events.test_search import combinations, log

pytestmark = pytest.mark.django_db


@pytest.fixture
def plans() -> Iterator[list[tuple[str, str]]]:
    """Every SELECT on the log's tables with the plan that the database made for it, in its own transaction."""
    told: list[tuple[str, str]] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith("SELECT") and any(table in sql for table in TABLES):
            command = "explain query plan" if connection.vendor == "sqlite" else "explain"
            cursor = context["connection"].cursor().cursor
            cursor.execute(f"{command} {sql}", params)
            told.append((sql, "\n".join(" ".join(map(str, row)) for row in cursor.fetchall())))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield told


TABLES = ("events_event", "events_pending", "events_dead_letter", "events_batch")
SCANS = tuple(f"{scan} {table}" for scan in ("Seq Scan on", "SCAN") for table in TABLES)
LED_BY: dict[int | None, tuple[str, ...]] = {
    Event.State.PENDING: ("events_pending_pkey", "sqlite_autoindex_events_pending"),
    Event.State.DEAD: ("events_dead",),
    Event.State.DISCARDED: ("events_discarded",),
}
INDEXES = ("Index Scan", "Index Only Scan", "Bitmap Index Scan", "USING INDEX", "USING COVERING INDEX")


def is_along_an_index(plan: str) -> bool:
    return (
        "MATERIALIZE events_state" not in plan
        and not any(scan in line and "INDEX" not in line for scan in SCANS for line in plan.splitlines())
        and (any(index in plan for index in INDEXES) or "USING INTEGER PRIMARY KEY" in plan)
    )


def led_by(wanted: Wanted) -> tuple[str, ...]:
    """The names of the index that leads, on either database."""
    if wanted.event_id:
        return ("event_id",)
    if wanted.state == Event.State.DEAD and wanted.owner:
        return ("events_dead_did", "events_dead_time")  # for a DID that has a third of the letters either is good
    if wanted.owner and wanted.state in (None, Event.State.DONE):
        return ("events_of_key",)
    return LED_BY.get(wanted.state, ("events_event_pkey", "PRIMARY KEY"))


@pytest.mark.parametrize("analyzed", ["empty", "full"])
def test_every_filter_and_combination_is_served_by_an_index(analyzed: str, plans: list[tuple[str, str]]) -> None:
    if analyzed == "empty":
        connection.cursor().execute("analyze")
    log(3_000)
    if analyzed == "full":
        connection.cursor().execute("analyze")
    for wanted in [*combinations(), Wanted(event_id=Event.objects.all()[0].event_id)]:
        plans.clear()
        find(wanted)
        assert plans
        for sql, plan in plans:
            assert is_along_an_index(plan), f"{wanted}\n{sql}\n{plan}"
            assert "Sort" not in plan and "TEMP B-TREE" not in plan, f"{wanted}\n{sql}\n{plan}"
        leading = " ".join(plan for _, plan in plans)
        assert any(index in leading for index in led_by(wanted)), f"{wanted}\n{leading}"
