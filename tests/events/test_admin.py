"""The log in the admin: what an operator sees and may do."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from model_bakery import baker

from events.models import Attempt, Event
from tests.events import states

pytestmark = pytest.mark.django_db

DEAD = "/admin/events/deadletter/"


@pytest.mark.parametrize("path", ["add/", "1/delete/"])
def test_nobody_adds_or_deletes_events_by_hand(admin_client: Client, path: str) -> None:
    assert admin_client.get(f"/admin/events/event/{path}").status_code in (302, 403)


def test_an_event_is_found_by_its_id_and_nonsense_finds_nothing(admin_client: Client) -> None:
    event = baker.make(Event, event_type="test.record")
    assert str(event.event_id) in admin_client.get(f"/admin/events/event/?q={event.event_id}").content.decode()
    assert admin_client.get("/admin/events/event/?q=nonsense").status_code == 200


@pytest.mark.parametrize("page", [DEAD, "/admin/events/event/"])
def test_no_page_counts_the_log(admin_client: Client, page: str) -> None:
    baker.make(Event, _quantity=3)
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(page)
    log = [q["sql"] for q in queries.captured_queries if "events_event" in q["sql"]]
    assert log and all("LIMIT" in sql for sql in log if "COUNT" in sql), log


def test_an_events_page_shows_its_payload_and_leads_to_the_life_of_its_did(admin_client: Client) -> None:
    event = baker.make(Event, did="did:plc:alice", payload={"bio": "<script>alert(1)</script>"})
    page = admin_client.get(f"/admin/events/event/{event.pk}/change/").content.decode()
    assert "&quot;bio&quot;: &quot;&lt;script&gt;" in page and "<script>alert" not in page
    assert "/admin/events/event/life/?did=did%3Aplc%3Aalice" in page


def test_a_payload_that_cannot_be_decoded_is_shown_as_its_text(admin_client: Client) -> None:
    event = states.pending(digest=states.DIGEST, payload='{"a":"\\ud800\u202e"}')
    page = admin_client.get(f"/admin/events/event/{event.pk}/change/").content.decode()
    assert "{&quot;a&quot;:&quot;\\ud800\\u202e&quot;}" in page


def test_a_dead_letters_event_leads_to_it(admin_client: Client) -> None:
    for letter in (states.dead(), states.dead(discarded_at=timezone.now())):
        page = admin_client.get(f"/admin/events/event/{letter.pk}/change/").content.decode()
        assert f"{DEAD}{letter.pk}/change/" in page


def field(page: str, name: str) -> str:
    """What an event's page shows in a field."""
    found = re.search(rf'class="form-row field-{name}">.*?class="readonly">(.*?)</div>', page, re.DOTALL)
    assert found
    return found[1]


def test_a_done_events_page_shows_when_and_by_whom_it_was_applied(admin_client: Client) -> None:
    event = states.done(finished_at=datetime(2026, 11, 1, 12, tzinfo=UTC), worker="worker-1:7")
    page = admin_client.get(f"/admin/events/event/{event.pk}/change/").content.decode()
    told = {name: field(page, name) for name in ("condition", "ended", "worker", "tries", "available")}
    assert told == {
        "condition": "done",
        "ended": "2026-11-01 12:00:00.000000",
        "worker": "worker-1:7",
        "tries": "1",
        "available": "-",
    }


def test_a_pending_events_page_shows_the_error_of_its_newest_failed_attempt(admin_client: Client) -> None:
    later = datetime(2026, 11, 1, 12, tzinfo=UTC)
    event = states.pending(attempts=2, available_at=later)
    for number, message in ((1, "at first"), (2, "at last")):
        Attempt.objects.create(event=event, number=number, kind="ValueError", message=message)
    page = admin_client.get(f"/admin/events/event/{event.pk}/change/").content.decode()
    assert field(page, "condition") == "pending"
    assert "ValueError: at last" in field(page, "error") and "at first" not in page
    assert (field(page, "tries"), field(page, "available")) == ("2", "2026-11-01 12:00:00.000000")


def test_a_ready_event_may_be_applied_since_its_receipt(admin_client: Client) -> None:
    page = admin_client.get(f"/admin/events/event/{states.pending().pk}/change/").content.decode()
    assert field(page, "available") == "since its receipt"
