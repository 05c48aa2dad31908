"""What a browser is told about every page, and that the admin works under it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from events.models import BulkAction, Event
from tests.events.letters import LIST, dead

pytestmark = pytest.mark.django_db


class Inline(HTMLParser):
    """Finds what a strict policy would not let run or show, and addresses of other hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        data = given.get("type") == "application/json"
        if tag == "style" or (tag == "script" and not given.get("src") and not data):
            self.found.append(tag)
        sources = [given.get("src"), given.get("href") if tag == "link" else None, given.get("action")]
        self.found += [f"{tag} {url}" for url in sources if url and url.startswith(("http:", "https:", "//", "data:"))]


def pages() -> list[str]:
    letter = dead()[0]
    action = BulkAction.objects.create(verb="requeue", asked_at=timezone.now(), upto=1, expected=300)
    event = Event.objects.create(event_type="test.record", did="did:plc:a")
    return [
        "/admin/",
        "/admin/events/pipeline/",
        "/admin/events/event/life/?did=did:plc:a",
        "/internal/docs",
        LIST,
        f"{LIST}?did=did:plc:alice",
        f"{LIST}{letter.pk}/change/",
        f"{LIST}{letter.pk}/edit/",
        f"{LIST}{letter.pk}/history/",
        f"/admin/events/bulkaction/{action.pk}/change/",
        "/admin/events/bulkaction/",
        "/admin/events/event/",
        f"/admin/events/event/{event.pk}/change/",
        "/admin/events/worker/",
        "/admin/cachecore/invalidation/",
        "/admin/graph/relationship/",
        "/admin/auth/user/",
        f"/admin/auth/user/{User.objects.get().pk}/change/",
        "/admin/auth/user/add/",
        "/admin/auth/group/add/",
        "/admin/password_change/",
        "/admin/axes/accessattempt/",
    ]


def test_no_page_of_the_admin_has_anything_inline_or_from_another_host(admin_client: Client) -> None:
    for path in pages():
        response = admin_client.get(path)
        assert response.status_code == 200, path
        parser = Inline()
        parser.feed(response.content.decode())
        assert parser.found == [], path


def test_the_login_page_too(client: Client) -> None:
    parser = Inline()
    parser.feed(client.get("/admin/login/").content.decode())
    assert parser.found == []


@pytest.mark.parametrize("path", ["/admin/login/", "/health", "/internal/events/metrics", "/nothing-here"])
def test_every_answer_tells_browsers_to_trust_nothing_else(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_sessions_are_in_the_database_alone() -> None:
    assert settings.SESSION_ENGINE == "django.contrib.sessions.backends.db"
