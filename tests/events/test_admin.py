"""The log in the admin: what an operator sees and may do."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from model_bakery import baker

from events.models import Event

pytestmark = pytest.mark.django_db

DEAD = "/admin/events/deadletter/"


def dead(**fields: Any) -> Event:
    return baker.make(Event, event_type="test.record", state=Event.State.DEAD, last_error="ValueError: no", **fields)


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


def test_a_payload_that_no_json_column_holds_is_shown_as_its_bytes(admin_client: Client) -> None:
    event = dead(raw=b'{"a": "\xff\\u0000"}')
    page = admin_client.get(f"/admin/events/event/{event.pk}/change/").content.decode()
    assert "\\xff\\u0000" in page


def test_a_dead_events_page_leads_to_its_dead_letter(admin_client: Client) -> None:
    event = dead()
    page = admin_client.get(f"/admin/events/event/{event.pk}/change/").content.decode()
    assert f"{DEAD}{event.pk}/change/" in page
