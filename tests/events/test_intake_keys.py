"""Who may speak to /internal. Origin's defect 12: the key was compared with ==."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from events.intake.keys import is_key
from tests.events.doors import DOORS, EACH_DOOR, JSON, assert_problem

EVENT = "5b77b025-28df-42a8-946a-0c8312d1e9b4"
READS = ["/internal/events/metrics", "/internal/events/dead-letter", f"/internal/events/{EVENT}"]
WRITES = ["/internal/events", "/internal/events/dead-letter/requeue", "/internal/events/dead-letter/discard"]


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> None:
    settings.INTERNAL_API_KEY, settings.INTERNAL_API_KEY_FALLBACKS = "today", ["yesterday", "", "ключ"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [("today", True), ("yesterday", True), ("ключ", True)]
    + [(wrong, False) for wrong in ("", "toda", "todayy", "Today", "today\n", "\x00")],
)
def test_only_the_key_and_its_fallbacks_are_keys(given: str, expected: bool) -> None:
    assert is_key(given.encode()) is expected


def test_without_a_key_in_the_settings_nothing_is_one(settings: Settings) -> None:
    settings.INTERNAL_API_KEY, settings.INTERNAL_API_KEY_FALLBACKS = "", [""]
    assert not is_key(b"")


@pytest.mark.parametrize("given", [b"today", b"yesterday", b"t", b"", b"x" * 1_000])
def test_every_key_is_compared_in_constant_time(given: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is given, all keys are compared, as digests of one length."""
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def watch(one: Any, other: Any) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watch)
    is_key(given)
    assert compared == [(32, 32)] * 3


@pytest.mark.django_db
@pytest.mark.parametrize("door", EACH_DOOR)
class TestDoors:
    @pytest.mark.parametrize("sent", ["today", "yesterday", "ключ".encode().decode("latin-1")])
    def test_a_key_opens(self, door: str, sent: str) -> None:
        """As servers hand it on: in latin-1, whatever it is in."""
        assert_problem(DOORS[door](b"x", {"Content-Type": JSON, "X-Internal-Key": sent}), 400)

    @pytest.mark.parametrize("sent", ["tomorrow", "today,today", "today ", "ключ".encode("cp1251").decode("latin-1")])
    def test_what_is_no_key_does_not(self, door: str, sent: str) -> None:
        assert_problem(DOORS[door](b"x", {"Content-Type": JSON, "X-Internal-Key": sent}), 403)

    def test_without_a_key_the_header_is_named(self, door: str) -> None:
        reply = DOORS[door](b"x", {"Content-Type": JSON})
        assert_problem(reply, 401)
        assert reply.headers["www-authenticate"] == "X-Internal-Key"


@pytest.mark.django_db
class TestPaths:
    @pytest.mark.parametrize("path", [*READS, *WRITES])
    @pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"X-Internal-Key": "tomorrow"}, 403)])
    def test_every_path_needs_the_key(self, client: Client, path: str, headers: dict[str, str], status: int) -> None:
        response = (
            client.get(path, headers=headers)
            if path in READS
            else client.post(path, b"{}", content_type="application/json", headers=headers)
        )
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")

    @pytest.mark.parametrize("path", READS)
    def test_staff_may_read_without_it(self, client: Client, path: str) -> None:
        client.force_login(User.objects.create_user("operator", is_staff=True))
        assert client.get(path).status_code in (200, 404)

    @pytest.mark.parametrize("path", READS)
    def test_a_wrong_key_is_refused_whatever_the_session(self, client: Client, path: str) -> None:
        client.force_login(User.objects.create_user("operator", is_staff=True))
        assert client.get(path, headers={"X-Internal-Key": "tomorrow"}).status_code == 403

    @pytest.mark.parametrize("path", READS)
    def test_other_users_may_not(self, client: Client, path: str) -> None:
        client.force_login(User.objects.create_user("visitor"))
        assert client.get(path).status_code == 403

    @pytest.mark.parametrize("path", WRITES)
    def test_no_session_may_write(self, path: str) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.create_superuser("root"))
        assert client.post(path, b"{}", content_type="application/json").status_code == 401
