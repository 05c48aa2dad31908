"""Dead letters over HTTP: listed by key, requeued and discarded within bounds."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from structlog.testing import CapturingLogger

from events.intake import dead_letter_views
from events.models import DeadLetter, Event
from tests.events import states
from tests.events.hostile import STRANGE, UNDECODABLE, event

pytestmark = pytest.mark.django_db

LIST = "/internal/events/dead-letter"
REQUEUE = f"{LIST}/requeue"
DISCARD = f"{LIST}/discard"


def dead(n: int = 1, **fields: Any) -> list[Event]:
    defaults = {"event_type": "test.record", "did": "did:plc:a", "error": "no"}
    return [states.dead(**(defaults | fields), payload={"n": i}).event for i in range(n)]


def one_in_each_state() -> list[Event]:
    return [states.pending(), states.done(), states.dead().event, states.dead(discarded_at=timezone.now()).event]


def counts() -> Counter[str]:
    found = Event.objects.with_state().values_list("state", flat=True)
    return Counter(str(Event.State(state).label) for state in found)


class TestList:
    def test_newest_first_with_payload_and_reason(self, api: APIClient) -> None:
        first, second = dead(2)
        states.pending()
        states.dead(discarded_at=timezone.now())
        content = api.get(LIST).json()
        assert [letter["event_id"] for letter in content["results"]] == [str(second.event_id), str(first.event_id)]
        assert content["results"][0]["payload"] == {"n": 1}
        assert (content["results"][0]["state"], content["results"][0]["error"]) == ("dead", "no")
        assert content["next"] is None

    def test_pages_are_followed_to_the_end(self, api: APIClient) -> None:
        made = [str(letter.event_id) for letter in dead(7)]
        dead(3, event_type="test.other")
        path, seen, pages = f"{LIST}?limit=3&event_type=test.record&did=did:plc:a", [], 0
        while path:
            content = api.get(path).json()
            seen += [letter["event_id"] for letter in content["results"]]
            path, pages = content["next"], pages + 1
        assert (seen, pages) == (made[::-1], 3)

    @pytest.mark.parametrize(
        ("query", "number"),
        [
            ("event_type=test.other", 2),
            ("did=did:plc:b", 3),
            ("reason=odd", 3),
            ("event_type=test.other&did=did:plc:b", 0),
        ],
    )
    def test_filters(self, api: APIClient, query: str, number: int) -> None:
        dead(1)
        dead(2, event_type="test.other")
        dead(3, did="did:plc:b", reason="odd")
        assert len(api.get(f"{LIST}?{query}").json()["results"]) == number

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=x", "did=%00", "limit=-1", "before=", "before=1e3", "before=" + "9" * 5_000, "limit=²"],
    )
    def test_a_query_that_is_none_is_400(self, api: APIClient, query: str) -> None:
        response = api.get(f"{LIST}?{query}")
        assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")

    def test_it_says_what_the_page_of_the_event_says(self, api: APIClient) -> None:
        [one] = dead(1, rev="3jzfcijpj2z2a", attempts=4, reason="odd")
        told = api.get(f"/internal/events/{one.event_id}").json()
        [letter] = api.get(LIST).json()["results"]
        assert {**letter, "failures": []} == {**told, "payload": {"n": 0}}

    @pytest.mark.parametrize("name", STRANGE)
    def test_any_payload_is_shown_and_as_text_where_python_cannot_decode_it(self, api: APIClient, name: str) -> None:
        api.post("/internal/events", event(STRANGE[name]), content_type="application/json")
        states.bury(Event.objects.get(), "no")
        [letter] = json.loads(api.get(LIST).content, parse_constant=pytest.fail)["results"]
        if name in UNDECODABLE:
            assert letter["raw"] == STRANGE[name]
            assert "payload" not in letter
        else:
            assert letter["payload"] == json.loads(STRANGE[name])
            assert "raw" not in letter


class TestRequeue:
    def test_by_ids(self, api: APIClient) -> None:
        made = dead(3)
        response = api.post(REQUEUE, {"ids": [str(letter.event_id) for letter in made[:2]]})
        assert (response.status_code, response.json()) == (200, {"requeued": 2, "more": False})
        assert counts() == {"pending": 2, "dead": 1}

    def test_by_filter(self, api: APIClient) -> None:
        dead(2)
        dead(1, event_type="test.other")
        assert api.post(REQUEUE, {"filter": {"event_type": "test.other"}}).json()["requeued"] == 1
        assert api.post(REQUEUE, {"filter": {}}).json()["requeued"] == 2

    def test_only_what_is_dead(self, api: APIClient) -> None:
        ids = [str(event.event_id) for event in one_in_each_state()] + [str(uuid4())]
        assert api.post(REQUEUE, {"ids": ids}).json()["requeued"] == 1
        assert counts() == {"pending": 2, "done": 1, "discarded": 1}

    @pytest.mark.parametrize("name", UNDECODABLE)
    def test_whatever_its_payload(self, api: APIClient, name: str) -> None:
        api.post("/internal/events", event(UNDECODABLE[name]), content_type="application/json")
        states.bury(Event.objects.get(), "no")
        assert api.post(REQUEUE, {"filter": {}}).json() == {"requeued": 1, "more": False}

    def test_is_bounded_and_says_so(self, api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dead_letter_views, "BOUND", 2)
        dead(3)
        assert api.post(REQUEUE, {"filter": {}}).json() == {"requeued": 2, "more": True}
        assert api.post(REQUEUE, {"filter": {}}).json() == {"requeued": 1, "more": False}


class TestDiscard:
    def test_with_a_note(self, api: APIClient) -> None:
        [letter, _] = dead(2)
        response = api.post(DISCARD, {"ids": [str(letter.event_id)], "note": "spam"})
        assert (response.status_code, response.json()) == (200, {"discarded": 1, "more": False})
        assert states.state_of(letter).state == Event.State.DISCARDED
        assert DeadLetter.objects.get(pk=letter.pk).note == "spam"

    def test_only_what_is_dead(self, api: APIClient) -> None:
        ids = [str(event.event_id) for event in one_in_each_state()]
        assert api.post(DISCARD, {"ids": ids}).json()["discarded"] == 1
        assert counts() == {"pending": 1, "done": 1, "discarded": 2}


@pytest.mark.parametrize("path", [REQUEUE, DISCARD])
class TestRefusals:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"[]",
            b"\xff",
            b"[" * 10_000,
            b'{"ids":[],"filter":{}}',
            b'{"ids":["x"]}',
            b'{"filter":{"tpye":"test.record"}}',
            b'{"filter":{"did":1}}',
            b'{"filter":{"did":"\\u0000"}}',
            b'{"filter":{"did":"\\ud800"}}',
            b'{"filter":{},"nota":"x"}',
            b'{"filter":{},"note":"\\u0000"}',
        ],
    )
    def test_what_is_misspelt_changes_nothing(self, api: APIClient, path: str, body: bytes) -> None:
        dead(1)
        response = api.post(path, body, content_type="application/json")
        assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
        assert counts() == {"dead": 1}

    def test_more_than_1000_ids_are_413(self, api: APIClient, path: str) -> None:
        assert api.post(path, {"ids": [str(uuid4()) for _ in range(1_001)]}).status_code == 413


@pytest.mark.parametrize("verb", ["requeue", "discard"])
def test_a_decision_over_the_api_leaves_a_line_that_says_by_what_and_about_which(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(dead_letter_views, "logger", lines)
    one, _ = dead(2)
    api.post(f"{LIST}/{verb}", {"ids": [str(one.event_id)], "note": "n"})
    api.post(f"{LIST}/{verb}", {"filter": {"did": "did:plc:a"}})
    assert [call.kwargs for call in lines.calls] == [
        {"events": 1, "by": "internal key", "chosen": [str(one.event_id)], "note": "n"},
        {"events": 1, "by": "internal key", "chosen": {"did": "did:plc:a"}, "note": ""},
    ]


@pytest.mark.parametrize(
    ("since", "status"),
    [("0039-04-22T20:11:46-23:28", 200), ("2026-11-23T00:00:00+23:59", 200), ("0001-01-01T00:00:00+01:00", 400)],
)
def test_moments_far_from_utc_are_understood_or_refused(api: APIClient, since: str, status: int) -> None:
    body = {"filter": {"since": since}, "note": "long ago"}
    answer = api.post("/internal/events/dead-letter/discard", body, format="json")
    assert answer.status_code == status, answer.content
