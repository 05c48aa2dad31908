"""Every address of the admin, found by walking its resolver: who may see it, and what a POST to it changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from django.utils import timezone
from model_bakery import baker

from events.log.dead_letters import bury
from events.models import BulkAction, DeadLetter, Event, Pending
from tests.events.letters import dead, user

pytestmark = pytest.mark.django_db

ROLES = ("anonymous", "nobody", "viewer", "operator", "superuser")
STAFF, VIEWERS, OPERATORS, SUPERUSER, NONE = ROLES[1:], ROLES[2:], ROLES[3:], ROLES[4:], ()
OURS = ("events", "graph", "cachecore")
# Of the site itself; what is not named is of a model, and judged by `seen_by`.
SITE = {"login": ROLES, "logout": STAFF, "index": STAFF, "password_change": STAFF, "password_change_done": STAFF}
SITE |= {"jsi18n": STAFF, "view_on_site": STAFF, "autocomplete": NONE, "app_list": STAFF, "": STAFF}
SITE |= {"events_deadletter_decide": STAFF}  # a GET is 404 for all of them: there is nothing to see
# A POST that changes something, and who may send it. Of users and groups only superusers change anything.
CHANGES = {"events_deadletter_decide": OPERATORS, "events_deadletter_edit": OPERATORS}
CHANGES |= {"events_bulkaction_stop": OPERATORS}
MEANT = {"verb": "discard", "scope": "filter", "confirmed": "1", "note": "n", "payload": "{}", "post": "yes"}
MEANT |= {"action": "delete_selected", "index": "0"}


def walk(patterns: Any, route: str = "/") -> Iterator[tuple[str, str]]:
    """The name and the route of each address under these patterns."""
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from walk(each.url_patterns, f"{route}{each.pattern}")
        elif isinstance(each, URLPattern) and isinstance(each.pattern, RoutePattern):
            yield each.name or "", f"{route}{each.pattern}"
        elif each.name == "app_list":
            # /admin/events/ is the project's own: it leads everybody to the pipeline page.
            yield from ((each.name, f"{route}{label}/") for label in ("auth", "graph", "cachecore"))
        else:
            yield "", f"{route}nothing-here/"


def addresses() -> list[tuple[str, str, str]]:
    """Name, address and the model whose row is in it ('' where none is) of everything under /admin/."""
    [site] = [each for each in get_resolver().url_patterns if str(each.pattern) == "admin/"]
    models = {f"{model._meta.app_label}_{model._meta.model_name}": model for model in apps.get_models()}
    found = []
    for name, route in walk([site]):
        of = "_".join(route.split("/")[2:4])
        model = models.get(of)
        row = model._default_manager.order_by("pk").values_list("pk", flat=True).first() if model else 1
        found.append((name, re.sub(r"<[^>]+>", str(row or 1), route), of if model else ""))
    assert len(found) > 60
    return found


def seen_by(name: str) -> tuple[str, ...]:
    """Who may see the address of this name: a rule, so that a new page is judged before anybody thinks of it."""
    if name in SITE:
        return SITE[name]
    label, _, rest = name.partition("_")
    if label not in OURS:
        return NONE if label == "axes" and rest.endswith("_add") else SUPERUSER
    if rest.endswith(("_add", "_delete")):
        return NONE
    if name in ("events_deadletter_edit", "events_bulkaction_stop"):
        return OPERATORS
    return VIEWERS


def client_of(role: str, **more: Any) -> Client:
    client = Client(**more)
    if role == "superuser":
        client.force_login(User.objects.filter(is_superuser=True).first() or User.objects.create_superuser(role))
    elif role != "anonymous":
        known = User.objects.filter(username=role).first()
        client.force_login(known or user(None if role == "nobody" else role))
    return client


@pytest.fixture
def rows() -> None:
    """Something of each kind that the pages are about."""
    dead(2)
    BulkAction.objects.create(verb="requeue", asked_at=timezone.now(), upto=0, expected=300)
    for role in ROLES:
        client_of(role)
    for model in admin.site._registry:
        if not model._default_manager.exists():
            baker.make(model)


def snapshot() -> dict[str, list[Any]]:
    """All rows that an operator's decision could change."""
    models = (Event, Pending, DeadLetter, BulkAction, LogEntry)
    kept = {model.__name__: list(model.objects.order_by("pk").values()) for model in models}
    return {**kept, "User": list(User.objects.order_by("pk").values("pk", "password", "is_superuser", "groups"))}


def refused(response: Any) -> bool:
    return response.status_code == 403 or "/admin/login/" in response.get("Location", "")


@pytest.mark.parametrize("role", ROLES)
def test_each_address_is_seen_by_those_who_may(rows: None, role: str) -> None:
    client = client_of(role)
    wrong = []
    before = snapshot()
    for name, address, _ in addresses():
        if name == "logout":
            continue
        response = client.get(address, MEANT)
        if refused(response) is (role in seen_by(name)) or response.status_code >= 500:
            wrong.append((name, address, response.status_code))
    assert not wrong, "; ".join(map(str, wrong))
    assert snapshot() == before, "a GET changed something"


@pytest.mark.parametrize("role", ROLES)
def test_a_post_changes_something_for_those_who_may_and_nothing_else_does(rows: None, role: str) -> None:
    for name, address, of in addresses():
        if of.startswith(("auth", "axes")) or name in ("logout", "password_change"):
            continue
        before = snapshot()
        response = client_of(role).post(address, {**MEANT, "_selected_action": 1, "selected": 1})
        assert response.status_code < 500, address
        assert (snapshot() != before) is (role in CHANGES.get(name, NONE)), (name, address)
        bury(list(Pending.objects.values_list("id", flat=True)))
        DeadLetter.objects.update(discarded_at=None, note="")
        BulkAction.objects.update(state=BulkAction.State.RUNNING, stopped_by=None)


@pytest.mark.parametrize("role", ["operator", "superuser"])
def test_a_post_without_its_token_changes_nothing(rows: None, role: str) -> None:
    client = client_of(role, enforce_csrf_checks=True)
    before = snapshot()
    for _, address, _ in addresses():
        response = client.post(address, {**MEANT, "selected": 1})
        assert response.status_code == 403, address
    assert snapshot() == before
