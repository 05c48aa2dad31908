"""Finding events: what fits is found and nothing else, whatever is combined, a page at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from model_bakery import baker

from events.admin import search
from events.admin.question import ALLOWED, STATES, Question
from events.admin.search import NEWEST, Wanted, find, first_id
from events.log.dead_letters import bury, requeue
from events.models import Batch, Event, Pending
from tests.events import states

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, tzinfo=UTC)
DIDS = [f"did:plc:{name}" for name in ("alice", "bob", "carol")]
TYPES = ["test.record", "test.other"]
OFFERED = [state for state, _ in STATES]
LIST = "/admin/events/event/"


def uri_of(did: str, n: int = 0) -> str:
    return f"at://{did}/net.rhiz.test/{n}"


def log(size: int) -> list[Any]:
    """Events in all states that the form offers, a minute apart; with their states."""
    chance = random.Random(6)
    events = []
    ids: dict[int, list[int]] = {state: [] for state in OFFERED}
    for n in range(size):
        did = chance.choice(DIDS)
        moment = START + timedelta(minutes=n)
        known = {"version": 0, "digest": states.DIGEST, "received_at": moment, "payload": {"uri": uri_of(did, n % 3)}}
        events.append(Event(did=did, event_type=chance.choice(TYPES), **known))
    for event in Event.objects.bulk_create(events):
        ids[chance.choice(OFFERED)].append(event.pk)
    bury(ids[Event.State.DEAD], error="ValueError: no")
    bury(ids[Event.State.DISCARDED], discarded=True, note="spam")
    done = ids[Event.State.DONE]
    Pending.objects.filter(id__in=done).delete()
    Batch.objects.bulk_create(Batch(last_id=pk, first_id=pk, ids=[pk]) for pk in done)
    return list(Event.objects.with_state().filter(pk__in=[event.pk for event in events]).order_by("id"))


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


def fitting(events: list[Any], wanted: Wanted) -> list[int]:
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
    for one, event_type, state, time in product(who, ("", TYPES[0]), (None, *OFFERED), when):
        yield Wanted(event_type=event_type, state=state, **one, **time)


# With 20 a page can't look at all events of any state, with 90 at those of each.
@pytest.mark.parametrize("look", [20, 90])
def test_every_combination_finds_what_looking_at_every_event_finds(monkeypatch: pytest.MonkeyPatch, look: int) -> None:
    events = log(300)
    monkeypatch.setattr(search, "CHUNK", 7)
    monkeypatch.setattr(search, "LOOK", look)
    for wanted in combinations():
        assert everything(wanted) == fitting(events, wanted), wanted


def test_an_event_id_leads_to_its_event_alone() -> None:
    events = log(3)
    assert [event.pk for event in find(Wanted(event_id=events[1].event_id)).events] == [events[1].pk]


def test_a_did_that_shares_the_key_of_another_is_not_taken_for_it() -> None:
    mine, other = states.pending(did=DIDS[0]), states.pending(did=DIDS[1])
    Event.objects.filter(pk=other.pk).update(key=mine.key)
    assert everything(Wanted(did=DIDS[0])) == [mine.pk]


def test_an_event_whose_state_changes_on_the_way_is_not_shown_under_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    letter = states.dead()
    walk = search._walk

    def requeue_after(*arguments: Any) -> Any:
        walked = walk(*arguments)
        assert requeue([letter.pk]) == 1
        return walked

    monkeypatch.setattr(search, "_walk", requeue_after)
    assert find(Wanted(state=Event.State.DEAD)).events == []


MINE = uri_of(DIDS[0])


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (f'{{"uri":"{MINE}"}}', True),
        (f'{{"nul":"\\u0000","uri":"{MINE}"}}', True),
        (f'{{"surrogate":"\\ud800","uri":"{MINE}"}}', True),
        (f'{{"uri":"{MINE}","x":{"[" * 20_000}{"]" * 20_000}}}', True),
        (f'{{"uri":"{MINE}","x":1e400}}', True),
        (f'{{"subject":{{"uri":"{MINE}"}},"uri":"{MINE}0"}}', False),
        (f'{{"{MINE}":1}}', False),
        (f'{{"text":"\\u0000{MINE}","uri":7}}', False),
    ],
)
def test_a_record_is_found_whatever_else_is_in_its_payloads(payload: str, found: bool) -> None:
    event = states.pending(did=DIDS[0], payload=payload, digest=states.DIGEST)
    states.pending(did=DIDS[0], payload='{"x":"\\ud800"}', digest=states.DIGEST)
    assert everything(Wanted(uri=MINE)) == [event.pk] * found


def test_no_page_decodes_more_payloads_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PART", 5)
    monkeypatch.setattr(search, "PAYLOADS", 10)
    mine = states.pending(did=DIDS[0], payload={"uri": MINE})
    for _ in range(12):
        states.pending(did=DIDS[0], payload={"subject": MINE})
    page = find(Wanted(uri=MINE))
    assert (page.events, page.looked) == ([], 10) and page.before
    assert everything(Wanted(uri=MINE)) == [mine.pk]


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
