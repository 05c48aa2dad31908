"""What an open transaction holds is answered 503 for now; what has nothing to do with it is accepted. At both doors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from events.envelope import from_mapping
from events.log import append_protocol
from events.models import Event, Pending
from events.wakeup import bare_connection
from tests.events.doors import DOORS, JSON, assert_problem
from tests.events.statements import append_in

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def event(did: str) -> dict[str, Any]:
    return {"event_type": "test.record", "did": did, "payload": {}, "event_id": str(uuid4())}


@contextmanager
def held(one: dict[str, Any]) -> Iterator[None]:
    """A transaction that has appended this event and stays open."""
    with bare_connection() as session:
        session.autocommit = False
        append_in(session, from_mapping(one))
        yield
        session.rollback()


@pytest.fixture(autouse=True)
def _no_long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_protocol, "LOCKED_FOR", 0.1)


@pytest.fixture(params=list(DOORS))
def post(request: pytest.FixtureRequest) -> Any:
    headers = {"X-Internal-Key": settings.INTERNAL_API_KEY, "Content-Type": JSON}
    return lambda body: DOORS[request.param](json.dumps(body).encode(), headers)


def test_one_event_is_503_and_the_same_again_later_is_accepted(post: Any) -> None:
    one = event("did:plc:a")
    with held(one):
        reply = post(one)
        content = assert_problem(reply, 503)
        assert (content["type"], content["event_id"]) == ("urn:rhiz:problem:locked", one["event_id"])
        assert int(reply.headers["retry-after"]) == content["retry_after"] > 0
    assert post(one).status == 202


def test_of_a_batch_the_others_are_accepted_and_the_later_ones_of_the_did_are_not(post: Any) -> None:
    blocked = event("did:plc:a")
    batch = [event("did:plc:a"), blocked, event("did:plc:b"), event("did:plc:a")]
    with held(blocked):
        reply = post(batch)
    assert (reply.status, reply.content["enqueued"], reply.content["rejected"]) == (207, 2, 2)
    assert [result["status"] for result in reply.content["results"]] == ["enqueued", "rejected", "enqueued", "rejected"]
    assert {result["error"]["status"] for result in reply.content["results"] if result["error"]} == {503}
    assert Pending.objects.count() == Event.objects.count() == 2


def test_a_batch_of_which_everything_is_held_is_503(post: Any) -> None:
    blocked = event("did:plc:a")
    with held(blocked):
        assert_problem(post([blocked, event("did:plc:a")]), 503)
    assert not Event.objects.exists()
