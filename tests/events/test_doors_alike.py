"""Both doors say the same, byte for byte, whatever is sent."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from events.intake import core
from events.intake.admission import Admission
from tests.events.doors import DOORS, JSON, LINES, Reply
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
    return reply.status, {n: v for n, v in reply.headers.items() if n not in OF_THE_REQUEST}, reply.body


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
