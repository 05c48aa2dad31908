"""Finding events: what fits is found and nothing else, along an index, whatever is combined, a page at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from model_bakery import baker

from events.admin import search
from events.admin.question import ALLOWED, Question
from events.admin.search import NEWEST, Wanted, find, first_id
from events.models import Event

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, tzinfo=UTC)
DIDS = [f"did:plc:{name}" for name in ("alice", "bob", "carol")]
TYPES = ["test.record", "test.other"]
LIST = "/admin/events/event/"


def uri_of(did: str, n: int = 0) -> str:
    return f"at://{did}/net.rhiz.test/{n}"


def log(size: int) -> list[Event]:
    """Events of all states, a minute apart."""
    chance = random.Random(6)
    events = []
    for n in range(size):
        did = chance.choice(DIDS)
        moment = START + timedelta(minutes=n)
        state = chance.choice(Event.State.values)
        payload = {"uri": uri_of(did, n % 3)}
        known = {"lane": 1, "version": 0, "digest": "x", "received_at": moment, "available_at": moment}
        events.append(Event(did=did, event_type=chance.choice(TYPES), state=state, payload=payload, **known))
    return Event.objects.bulk_create(events)


def everything(wanted: Wanted) -> list[int]:
    """All pages, one after the other."""
    found: list[int] = []
    before: int | None = NEWEST
    while before is not None:
        page = find(wanted, before=before)
        found += [event.pk for event in page.events]
        assert page.before is None or page.before < before
        before = page.before
    return found


def fitting(events: list[Event], wanted: Wanted) -> list[int]:
    """The same by looking at every event."""
    return [
        event.pk
        for event in sorted(events, key=lambda event: -event.pk)
        if (not wanted.owner or event.did == wanted.owner)
        and (not wanted.uri or event.payload["uri"] == wanted.uri)
        and (not wanted.event_type or event.event_type == wanted.event_type)
        and (wanted.state is None or event.state == wanted.state)
        and (wanted.since is None or event.received_at >= wanted.since)
        and (wanted.until is None or event.received_at < wanted.until)
    ]


def combinations() -> Iterator[Wanted]:
    """Every filter with every other."""
    who: list[dict[str, Any]] = [{}, {"did": DIDS[0]}, {"uri": uri_of(DIDS[1], 2)}]
    when: list[dict[str, Any]] = [
        {},
        {"since": START + timedelta(minutes=100)},
        {"until": START + timedelta(minutes=200)},
        {"since": START + timedelta(minutes=100), "until": START + timedelta(minutes=200)},
    ]
    for one, event_type, state, time in product(who, ("", TYPES[0]), (None, *Event.State.values), when):
        yield Wanted(event_type=event_type, state=state, **one, **time)


def test_every_combination_finds_what_looking_at_every_event_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    events = log(300)
    monkeypatch.setattr(search, "CHUNK", 7)
    monkeypatch.setattr(search, "LOOK", 90)
    for wanted in combinations():
        assert everything(wanted) == fitting(events, wanted), wanted


def test_an_event_id_leads_to_its_event_alone() -> None:
    events = log(3)
    assert [event.pk for event in find(Wanted(event_id=events[1].event_id)).events] == [events[1].pk]


def test_no_page_looks_at_more_than_it_may_and_says_how_far_it_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    events = log(100)
    monkeypatch.setattr(search, "LOOK", 30)
    page = find(Wanted(event_type="no.such"))
    assert (page.events, page.looked, page.before) == ([], 30, events[70].pk)
    assert page.ended_at == events[70].received_at


@pytest.mark.parametrize("gaps", [False, True])
def test_a_time_is_found_along_the_primary_key(gaps: bool) -> None:
    events = log(120)
    if gaps:
        Event.objects.filter(pk__in=[event.pk for n, event in enumerate(events) if n % 7 in (1, 2, 5)]).delete()
        events = list(Event.objects.order_by("id"))
    for n in (0, 1, 50, len(events) - 1):
        at = events[n].received_at
        below = events[n - 1].pk if n else 0
        assert below < first_id(at) <= events[n].pk
        assert events[n].pk < first_id(at + timedelta(seconds=1)) <= events[n].pk + 3 or n == len(events) - 1
    assert first_id(START - timedelta(days=1)) <= events[0].pk
    assert first_id(START + timedelta(days=9)) == events[-1].pk + 1


def test_an_empty_log_has_no_events_and_no_error() -> None:
    for wanted in combinations():
        assert everything(wanted) == []


@pytest.fixture
def plans() -> Iterator[list[tuple[str, str]]]:
    """Every SELECT on the log with the plan that the database made for it, in its own transaction."""
    told: list[tuple[str, str]] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith("SELECT") and "events_event" in sql:
            command = "explain query plan" if connection.vendor == "sqlite" else "explain"
            cursor = context["connection"].cursor().cursor
            cursor.execute(f"{command} {sql}", params)
            told.append((sql, "\n".join(" ".join(map(str, row)) for row in cursor.fetchall())))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield told


SCANS = ("Seq Scan on events_event", "SCAN events_event")
LED_BY: dict[int, str] = {
    Event.State.PENDING: "events_unfinished",
    Event.State.DEAD: "events_dead",
    Event.State.DISCARDED: "events_discarded",
}
INDEXES = ("Index Scan", "Index Only Scan", "Bitmap Index Scan", "USING INDEX", "USING COVERING INDEX")


def is_along_an_index(plan: str) -> bool:
    return not any(scan in plan and "INDEX" not in plan for scan in SCANS) and (
        any(index in plan for index in INDEXES) or "USING INTEGER PRIMARY KEY" in plan
    )


@pytest.mark.parametrize("analyzed", ["empty", "full"])
def test_every_filter_and_combination_is_served_by_an_index(analyzed: str, plans: list[tuple[str, str]]) -> None:
    if analyzed == "empty":
        connection.cursor().execute("analyze events_event" if connection.vendor == "postgresql" else "analyze")
    log(3_000)
    if analyzed == "full":
        connection.cursor().execute("analyze events_event" if connection.vendor == "postgresql" else "analyze")
    for wanted in [*combinations(), Wanted(event_id=Event.objects.all()[0].event_id)]:
        plans.clear()
        find(wanted)
        assert plans
        for sql, plan in plans:
            assert is_along_an_index(plan), f"{wanted}\n{sql}\n{plan}"
            if wanted.state != Event.State.PENDING:  # of which the few that there are may be sorted
                assert "Sort" not in plan and "TEMP B-TREE" not in plan, f"{wanted}\n{sql}\n{plan}"
        leading = " ".join(plan for _, plan in plans)
        if wanted.owner:
            assert "events_unfinished" in leading and "events_ended" in leading, leading
        elif wanted.state in LED_BY:
            assert LED_BY[wanted.state] in leading, leading


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (" did:plc:alice ", "did"),
        ("at://did:plc:alice/net.rhiz.test/1", "uri"),
        ("30f85575-3e10-4e68-99aa-4f81f7bf0086", "event_id"),
        ("30f855753e104e6899aa4f81f7bf0086", "event_id"),
    ],
)
def test_one_field_takes_an_id_a_did_or_a_record(text: str, field: str) -> None:
    question = Question({"q": text})
    assert question.is_valid()
    assert [name for name in ("did", "uri", "event_id") if getattr(question.wanted(), name)] == [field]


@pytest.mark.parametrize("text", ["alice", "at://alice.example/net.rhiz.test/1", "%", "did:plc:", "x" * 9_000, "\0"])
def test_what_no_index_serves_is_refused_with_what_to_give_instead(admin_client: Client, text: str) -> None:
    baker.make(Event, event_type="test.record")
    page = admin_client.get(LIST, {"q": text}).content.decode()
    assert ALLOWED[:60] in page or len(text) > 8_192 or text == "\0"
    assert "test.record" not in page and "errorlist" in page


@pytest.mark.parametrize(
    "asked",
    [
        *({"state": "9"}, {"since": "yesterday"}, {"before": "-1"}, {"before": "9" * 30}),
        *({"type": "a b"}, {"type": "é"}, {"since": "2026-11-02T00:00", "until": "2026-11-01T00:00"}),
        *({"since": "0001-01-01T00:00:00"}, {"until": "9999-12-31T23:59:59"}),
    ],
)
def test_hostile_questions_are_answered_and_never_an_error(admin_client: Client, asked: dict[str, str]) -> None:
    assert admin_client.get(LIST, asked).status_code == 200


def test_the_list_goes_on_where_the_page_before_ended(admin_client: Client) -> None:
    events = log(search.PAGE + 5)
    answer = admin_client.get(LIST, {"since": "2026-11-01T00:00"})
    page = answer.context["page"]
    assert [event.pk for event in page.events] == [event.pk for event in reversed(events)][: search.PAGE]
    rest = admin_client.get(LIST + answer.context["further"]).context["page"]
    assert [event.pk for event in rest.events] == [event.pk for event in reversed(events)][search.PAGE :]
    assert rest.before is None


def test_events_received_a_moment_out_of_turn_are_found_by_their_time() -> None:
    moment = timezone.now()
    late = baker.make(Event, received_at=moment)
    early = baker.make(Event, received_at=moment - timedelta(seconds=20))
    baker.make(Event, received_at=moment + timedelta(minutes=5))
    wanted = Wanted(since=moment - timedelta(seconds=30), until=moment - timedelta(seconds=10))
    assert [event.pk for event in find(wanted).events] == [early.pk]
    assert late.pk in [event.pk for event in find(Wanted(since=moment, until=moment + timedelta(seconds=1))).events]
