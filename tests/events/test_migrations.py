"""Migrations of a log that is in use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from events.models import Event, Tally, Worker


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("events", name)])


@pytest.fixture
def before_the_tally(transactional_db: None) -> Iterator[None]:
    migrate("0002_did_by_bytes")
    yield
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes("events")
    MigrationExecutor(connection).migrate(newest)


@pytest.mark.usefixtures("before_the_tally")
def test_what_workers_counted_before_there_was_a_tally_goes_on_counting() -> None:
    apps = MigrationExecutor(connection).loader.project_state([("events", "0002_did_by_bytes")]).apps
    now = timezone.now()
    for processed, failed in ((70, 4), (30, 1)):
        apps.get_model("events", "Worker").objects.create(
            host="a", pid=1, process_started=0, started_at=now, heartbeat_at=now, processed=processed, failed=failed
        )
    migrate("0003_figures")
    assert Tally.objects.values_list("processed", "failed").get() == (100, 5)
    assert set(Worker.objects.values_list("idle_seconds", flat=True)) == {0.0}
    assert [worker.batches for worker in Worker.objects.all()] == [[], []]


@pytest.mark.usefixtures("before_the_tally")
def test_a_new_log_begins_with_nothing() -> None:
    migrate("0003_figures")
    assert not Tally.objects.exists()


@pytest.mark.usefixtures("before_the_tally")
def test_events_that_died_before_there_were_reasons_get_theirs() -> None:
    migrate("0004_request_id")
    old = MigrationExecutor(connection).loader.project_state([("events", "0004_request_id")]).apps
    errors = {
        "Traceback (most recent call last):\nValueError: no 7": "ValueError: no #",
        "x: 1; allowed: y": "x: …; allowed: y",
    }
    row = {"event_type": "a", "did": "did:plc:a", "lane": 0, "version": 1, "available_at": timezone.now()}
    rows = old.get_model("events", "Event").objects
    for error in errors:
        rows.create(**row, state=2, last_error=error)
    rows.create(**row, last_error="waits")
    migrate("0008_reasons_of_the_dead")
    assert dict(Event.objects.values_list("last_error", "reason")) == {**errors, "waits": ""}
