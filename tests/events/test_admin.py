"""The log in the admin: what an operator sees and may do."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from model_bakery import baker

from events.models import Event

pytestmark = pytest.mark.django_db

DEAD = "/admin/events/deadletter/"


def dead(**fields: Any) -> Event:
    event = baker.make(Event, event_type="test.record", did="did:plc:alice", **fields)
    error = "Traceback (most recent call last):\n  ...\nValueError: strength 300"
    Event.objects.filter(pk=event.pk).update(state=Event.State.DEAD, attempts=4, last_error=error)
    return event


def act(client: Client, action: str, *events: Event) -> str:
    data = {"action": action, "_selected_action": [event.pk for event in events]}
    return client.post(DEAD, data, follow=True).content.decode()


def test_a_dead_letter_shows_its_reason(admin_client: Client) -> None:
    event = dead()
    page = admin_client.get(DEAD).content.decode()
    assert "ValueError: strength 300" in page and "Traceback" not in page
    assert "Traceback" in admin_client.get(f"{DEAD}{event.pk}/change/").content.decode()


def test_only_dead_events_are_dead_letters(admin_client: Client) -> None:
    dead()
    baker.make(Event, event_type="alive.and.well")
    assert "alive.and.well" not in admin_client.get(DEAD).content.decode()


def test_requeue_makes_it_pending_and_is_in_the_admins_log(admin_client: Client) -> None:
    event = dead()
    assert "1 events requeued" in act(admin_client, "requeue", event)
    event.refresh_from_db()
    assert (event.state, event.attempts) == (Event.State.PENDING, 0)
    assert LogEntry.objects.get().get_change_message() == "requeued"


def test_discard_gives_it_up_for_good(admin_client: Client) -> None:
    event = dead()
    assert "1 events discarded" in act(admin_client, "discard", event)
    assert Event.objects.get(pk=event.pk).state == Event.State.DISCARDED


def test_a_payload_that_cannot_be_stored_stays_dead(admin_client: Client) -> None:
    event = dead(raw=b'{"a": "\\u0000"}')
    assert "1 were left as they are" in act(admin_client, "requeue", event)
    assert Event.objects.get(pk=event.pk).state == Event.State.DEAD


def test_who_may_only_look_may_not_requeue(client: Client) -> None:
    user = baker.make(User, is_staff=True, is_active=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_event", "view_deadletter"]))
    client.force_login(user)
    event = dead()
    assert client.get(DEAD).status_code == 200
    act(client, "requeue", event)
    assert Event.objects.get(pk=event.pk).state == Event.State.DEAD


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
