"""Logging in: throttled by name and address, whatever a client says of itself, and though Redis is away."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/?next=/admin/"


@pytest.fixture(autouse=True)
def _operator() -> None:
    User.objects.create_superuser("op", password="a long and good one")


def log_in(client: Client, password: str = "a long and good one", name: str = "op", **headers: str) -> int:
    fields: dict[str, Any] = {"username": name, "password": password}
    return client.post(LOGIN, fields, **headers).status_code  # type: ignore[arg-type]


def test_who_guesses_has_to_wait_even_with_the_right_password(client: Client) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        assert log_in(client, "guess") == 200
    assert log_in(client, "guess") == 429
    assert log_in(client) == 429


def test_a_few_mistakes_are_forgotten_with_the_right_password(client: Client) -> None:
    for _ in range(3):
        for _ in range(settings.AXES_FAILURE_LIMIT - 1):
            log_in(client, "guess")
        assert log_in(client) == 302


def test_a_stranger_elsewhere_does_not_lock_the_operator_out(client: Client) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT + 1):
        log_in(client, "guess", REMOTE_ADDR="203.0.113.9")
    assert log_in(client, REMOTE_ADDR="198.51.100.7") == 302


def test_a_forged_header_does_not_help(client: Client) -> None:
    for n in range(settings.AXES_FAILURE_LIMIT):
        log_in(client, "guess", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}", HTTP_X_REAL_IP=f"198.51.100.{n}")
    assert log_in(client, HTTP_X_FORWARDED_FOR="198.51.100.99") == 429


def test_after_a_while_one_may_try_again(client: Client) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        log_in(client, "guess")
    AccessAttempt.objects.update(attempt_time="2001-01-01T00:00:00Z")
    assert log_in(client) == 302


@pytest.mark.parametrize("name", ["\0", "x" * 5_000, "\ud800", ""])
def test_a_name_that_is_none_is_no_error(client: Client, name: str) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT + 1):
        assert log_in(client, "guess", name.encode("utf-8", "replace").decode()) in (200, 429)


def test_a_connection_without_an_address_is_counted_too(client: Client) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        log_in(client, "guess", REMOTE_ADDR="")
    assert log_in(client, REMOTE_ADDR="") == 429
