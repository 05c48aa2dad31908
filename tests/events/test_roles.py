"""Who may do what: each address and button, for each role."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from events import roles
from events.models import BulkAction, DeadLetter, Event
from tests.events.letters import DECIDE, LIST, dead, user

pytestmark = pytest.mark.django_db


@pytest.fixture
def letter() -> DeadLetter:
    return dead()[0]


@pytest.fixture
def action(letter: DeadLetter) -> BulkAction:
    return BulkAction.objects.create(verb="requeue", asked_at=timezone.now(), upto=0, expected=300)


def logged_in(client: Client, role: str | None) -> Client:
    client.force_login(user(role))
    return client


@pytest.mark.parametrize(("role", "status"), [(None, 403), ("viewer", 200), ("operator", 200)])
def test_who_may_look(client: Client, letter: DeadLetter, action: BulkAction, role: str | None, status: int) -> None:
    logged_in(client, role)
    for path in (
        LIST,
        f"{LIST}{letter.pk}/change/",
        f"/admin/events/bulkaction/{action.pk}/change/",
        f"/admin/events/bulkaction/{action.pk}/figures/",
        "/admin/events/bulkaction/",
        "/admin/events/event/",
        "/admin/events/worker/",
        "/admin/graph/relationship/",
    ):
        assert client.get(path).status_code == status, path


@pytest.mark.parametrize(("role", "refused"), [(None, True), ("viewer", True), ("operator", False)])
def test_who_may_decide(
    client: Client, letter: DeadLetter, action: BulkAction, role: str | None, refused: bool
) -> None:
    logged_in(client, role)
    requests: list[tuple[str, dict[str, Any]]] = [
        (DECIDE, {"verb": "requeue", "scope": "selected", "selected": letter.pk}),
        (DECIDE, {"verb": "discard", "scope": "selected", "selected": letter.pk}),
        (f"{LIST}{letter.pk}/edit/", {"payload": "{"}),
        (f"/admin/events/bulkaction/{action.pk}/stop/", {}),
        (DECIDE, {"verb": "requeue", "scope": "filter", "confirmed": 1}),
    ]
    for path, data in requests:
        assert (client.post(path, data).status_code == 403) is refused, (path, data)
    assert DeadLetter.objects.dead().exists() is refused


@pytest.mark.parametrize(("role", "buttons"), [("viewer", False), ("operator", True)])
def test_buttons_are_shown_to_those_who_may_press_them(
    client: Client, letter: DeadLetter, action: BulkAction, role: str, buttons: bool
) -> None:
    logged_in(client, role)
    for path, words in (
        (LIST, ("Requeue", "Discard", 'name="selected"')),
        (f"{LIST}{letter.pk}/change/", ("Requeue", "Discard", "Edit payload")),
        (f"/admin/events/bulkaction/{action.pk}/change/", (">Stop<",)),
    ):
        page = client.get(path).content.decode()
        assert all((word in page) is buttons for word in words), path


def test_nobody_who_is_not_logged_in_sees_anything(client: Client, letter: DeadLetter) -> None:
    for path in (LIST, f"{LIST}{letter.pk}/change/", f"{LIST}{letter.pk}/edit/", DECIDE):
        assert "/admin/login/" in client.get(path)["Location"]


@pytest.mark.parametrize("right", ["requeue", "edit", "discard"])
def test_each_decision_is_a_right_of_its_own(client: Client, letter: DeadLetter, right: str) -> None:
    someone = user("viewer")
    someone.user_permissions.add(Permission.objects.get(codename=f"{right}_deadletter"))
    client.force_login(someone)
    for verb in ("requeue", "discard"):
        response = client.post(DECIDE, {"verb": verb, "scope": "selected", "selected": letter.pk})
        assert (response.status_code == 200) is (verb == right)
    assert (client.get(f"{LIST}{letter.pk}/edit/").status_code == 200) is (right == "edit")


def test_who_may_see_the_dead_alone_does_not_see_others_by_their_numbers(client: Client, letter: DeadLetter) -> None:
    someone = user(None)
    someone.user_permissions.add(Permission.objects.get(codename="view_deadletter"))
    client.force_login(someone)
    alive = Event.objects.create(event_type="t", did="did:plc:a")
    assert client.get(f"{LIST}{letter.pk}/change/").status_code == 200
    assert client.get(f"{LIST}{alive.pk}/change/").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_migrating_makes_the_groups_once_and_leaves_what_was_changed_in_them() -> None:
    Group.objects.all().delete()
    call_command("migrate", verbosity=0)
    operator, viewer = Group.objects.get(name="operator"), Group.objects.get(name="viewer")
    rights = set(operator.permissions.values_list("codename", flat=True))
    assert {"requeue_deadletter", "stop_bulkaction", "view_relationship", "view_invalidation"} <= rights
    assert not {"view_user", "view_session", "change_event"} & rights
    assert set(viewer.permissions.values_list("codename", flat=True)) == rights - set(roles.DECISIONS)
    operator.permissions.remove(Permission.objects.get(codename="discard_deadletter"))
    call_command("migrate", verbosity=0)
    assert not operator.permissions.filter(codename="discard_deadletter").exists()
    assert roles.make() == []
