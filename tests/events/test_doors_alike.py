"""Both doors say the same, byte for byte, whatever is sent."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.core.asgi import get_asgi_application
from hypothesis import HealthCheck, example, given
from hypothesis import settings as bounded
from hypothesis import strategies as st
from pytest_django import Settings

from events.intake import core
from events.intake.admission import Admission
from tests.events.doors import DOORS, JSON, LINES, Reply, lean, view
from tests.events.hostile import NOT_EVENTS, event

pytestmark = pytest.mark.django_db(transaction=True)

OF_THE_REQUEST = {"content-length", "x-request-id", "connection"}
EVENT = event(event_id=str(UUID(int=7)))

words = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.strip)
media_types = st.one_of(st.sampled_from([JSON, LINES, "application/json; charset=utf-8", "text/plain"]), words)
bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([body for body, _ in NOT_EVENTS.values() if len(body) < 20_000]),
    st.tuples(st.binary(max_size=5), st.integers(0, len(EVENT))).map(lambda cut: EVENT[: cut[1]] + cut[0]),
    st.lists(st.sampled_from([EVENT, b"{}", b"7", event(did="x")]), max_size=4).map(
        lambda e: b"[" + b",".join(e) + b"]"
    ),
)


@pytest.fixture(autouse=True)
def _own_admission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "admission", Admission(background=False))


def _told(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    headers = {n: v for n, v in reply.headers.items() if n not in OF_THE_REQUEST}
    # What is left of the limit goes up and down from one request to the next.
    return reply.status, headers | ({"ratelimit": "told"} if "ratelimit" in headers else {}), reply.body


@bounded(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies, media_type=media_types, encoding=st.sampled_from(["", "identity", "gzip"]), key=st.booleans())
@example(body=b"", media_type="", encoding="", key=False)
@example(body=b"x" * 5_242_881, media_type=JSON, encoding="", key=True)
def test_any_bytes_under_any_headers(internal_key: str, body: bytes, media_type: str, encoding: str, key: bool) -> None:
    headers = {"Content-Type": media_type, "X-Internal-Key": internal_key if key else "another"}
    if encoding:
        headers["Content-Encoding"] = encoding
    DOORS["view"](EVENT, {"Content-Type": JSON, "X-Internal-Key": internal_key})  # so that to both it is a duplicate
    assert _told(DOORS["lean"](body, headers)) == _told(DOORS["view"](body, headers))


@pytest.mark.parametrize("given", ["abc-123", "two words", "", "x" * 65])
def test_a_request_keeps_its_name(internal_key: str, given: str) -> None:
    headers = {"Content-Type": JSON, "X-Internal-Key": internal_key, "X-Request-ID": given}
    names = [DOORS[door](EVENT, headers).headers["x-request-id"] for door in ("view", "lean")]
    assert all((name == given) is (given == "abc-123") for name in names)


HOSTS = ["testserver", "testserver:8000", "TESTSERVER", "rhiz.example.org", "other.example.org", "", "a b", "127.0.0.1"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_host_is_served_by_both_or_by_none(settings: Settings, host: str, key: str) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "rhiz.example.org"]
    headers = {"Content-Type": JSON, "X-Internal-Key": key, "Host": host}
    django = get_asgi_application()
    assert _told(lean(EVENT, headers, django)) == _told(view(EVENT, headers))


@pytest.mark.parametrize("forwarded", ["https", "http", "https, http", "http,https", "HTTPS", ""])
def test_hsts_goes_with_what_came_by_https(settings: Settings, forwarded: str) -> None:
    settings.SECURE_HSTS_SECONDS, settings.SECURE_PROXY_SSL_HEADER = 60, ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    headers = {"Content-Type": JSON, "X-Internal-Key": "wrong", "X-Forwarded-Proto": forwarded}
    replies = [lean(EVENT, headers), view(EVENT, headers)]
    assert _told(replies[0]) == _told(replies[1])
    assert ("strict-transport-security" in replies[0].headers) is (forwarded in ("https", "https, http"))


@pytest.mark.parametrize("how", ["redirect", "forged"])
def test_what_the_middleware_does_not_let_through_is_djangos(settings: Settings, how: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [] if how == "redirect" else settings.SECURE_REDIRECT_EXEMPT
    headers = {"Content-Type": JSON, "X-Internal-Key": "wrong", "X-Forwarded-Proto": "https"}
    django = get_asgi_application()
    replies = [lean(EVENT, headers, django), view(EVENT, headers)]
    assert [reply.status for reply in replies] == [301 if how == "redirect" else 403] * 2
    assert _told(replies[0]) == _told(replies[1])
