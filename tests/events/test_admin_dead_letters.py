"""Dead letters in the admin: found, understood, decided about."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events import bulk
from events.admin import letters
from events.models import Attempt, BulkAction, Event
from tests.events.letters import DECIDE, LIST, dead

pytestmark = pytest.mark.django_db


def text(client: Client, path: str, **query: Any) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def decide(client: Client, verb: str, *events: Event, **fields: Any) -> Any:
    data = {"verb": verb, "scope": "selected", "selected": [event.pk for event in events], **fields}
    return client.post(DECIDE, data, follow=True)


def state(event: Event) -> str:
    return Event.State(Event.objects.get(pk=event.pk).state).label


class TestList:
    def test_reasons_come_first_with_their_counts_and_an_example(self, admin_client: Client) -> None:
        dead(3)
        [other] = dead(1, error="strength: 300; allowed: 0 to 100", event_type="test.other")
        page = text(admin_client, LIST)
        counts = re.findall(r'class="count"><strong>(\d+)</strong>.*?class="reason">(.*?)</p>', page, re.DOTALL)
        assert counts == [("3", "ValueError: strength #"), ("1", "strength: …; allowed: 0 to 100")]
        assert f"{LIST}{other.pk}/change/" in page and "4</strong>" not in counts

    def test_only_the_dead_are_listed(self, admin_client: Client) -> None:
        dead()
        Event.objects.create(event_type="alive.and.well", did="did:plc:a")
        page = text(admin_client, LIST)
        assert "alive.and.well" not in page and "ValueError: strength 300" in page

    def test_without_dead_letters_it_says_that_all_is_well(self, admin_client: Client) -> None:
        assert "Nothing is dead" in text(admin_client, LIST)

    @pytest.mark.parametrize(
        ("query", "number"),
        [
            ({"reason": "ValueError: strength #"}, 2),
            ({"event_type": "test.other"}, 3),
            ({"did": "did:plc:bob"}, 3),
            ({"did": "did:plc:bob", "event_type": "test.record"}, 0),
            ({"since": "2001-01-01T00:00:00"}, 5),
            ({"until": "2001-01-01T00:00:00"}, 0),
        ],
    )
    def test_filters(self, admin_client: Client, query: dict[str, str], number: int) -> None:
        dead(2)
        dead(3, error="no", event_type="test.other", did="did:plc:bob")
        assert text(admin_client, LIST, **query).count('name="selected"') == number

    @pytest.mark.parametrize("query", [{"since": "soon"}, {"did": "\0"}, {"reason": "x" * 201}])
    def test_a_filter_that_is_none_is_told_and_lists_nothing(self, admin_client: Client, query: dict[str, str]) -> None:
        dead()
        page = text(admin_client, LIST, **query)
        assert "That filter is none" in page and 'name="selected"' not in page

    def test_pages_are_followed_to_the_end_though_all_died_at_once(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(letters, "PAGE", 3)
        made = dead(8)
        Event.objects.filter(pk__in=[e.pk for e in made[2:]]).update(finished_at=made[2].finished_at)
        query: str | None = ""
        seen: list[int] = []
        while query is not None:
            page = admin_client.get(f"{LIST}?{query}").content.decode()
            seen += [int(pk) for pk in re.findall(r'name="selected" value="(\d+)"', page)]
            found = re.search(r'class="paginator"><a href="\?(.*?)"', page)
            query = found and found[1].replace("&amp;", "&")
        assert seen == [event.pk for event in reversed(made)]

    @pytest.mark.parametrize("after", ["x", "_", "2026-01-01_1", "2026-13-45T00:00:00+00:00_1", "a_" + "9" * 50])
    def test_a_key_that_is_none_is_the_first_page(self, admin_client: Client, after: str) -> None:
        dead()
        assert 'name="selected"' in text(admin_client, LIST, after=after)

    def test_what_a_stranger_wrote_is_escaped(self, admin_client: Client) -> None:
        evil = "<script>alert(1)</script>"
        [event] = dead(1, error=evil, payload={evil: evil})
        Attempt.objects.create(event=event, number=1, kind=evil, message=evil, trace=evil, worker=evil)
        for path in (LIST, f"{LIST}{event.pk}/change/", f"{LIST}{event.pk}/edit/"):
            assert evil not in text(admin_client, path)


class TestLetter:
    def test_each_attempt_with_its_worker_and_traceback(self, admin_client: Client) -> None:
        [event] = dead()
        for number in (1, 2):
            Attempt.objects.create(
                event=event, number=number, kind="ValueError", message="no", trace="Traceback ...", worker="host:7"
            )
        page = text(admin_client, f"{LIST}{event.pk}/change/")
        assert page.count("at host:7") == 2 and page.index("attempt 2") < page.index("attempt 1")

    def test_a_payload_stands_beside_what_its_type_wants(self, admin_client: Client) -> None:
        payload = {"strength": 300, "type": 7, "context": "fine"}
        [event] = dead(1, event_type="relationship.created", payload=payload)
        page = text(admin_client, f"{LIST}{event.pk}/change/")
        assert "an integer from 0 to 100" in page and "1-100 characters" in page
        assert page.count('class="wrong"') == 2

    def test_a_payload_that_the_log_cannot_hold_is_shown_escaped(self, admin_client: Client) -> None:
        [event] = dead(1, raw=b'{"a":"\\u0000\xff\x1b"}')
        assert "\\xff\\x1b" in text(admin_client, f"{LIST}{event.pk}/change/")

    @pytest.mark.parametrize("pk", [1, 2**63, 10**30])
    def test_a_letter_that_is_not_there_is_404(self, admin_client: Client, pk: int) -> None:
        assert admin_client.get(f"{LIST}{pk}/change/").status_code == 404


class TestDecisions:
    def test_nothing_happens_before_it_is_confirmed(self, admin_client: Client) -> None:
        made = dead(2)
        page = decide(admin_client, "requeue", *made).content.decode()
        assert "2 dead letters will be requeued" in page
        assert {state(event) for event in made} == {"dead"}

    def test_requeue_selected(self, admin_client: Client) -> None:
        one, two = dead(2)
        assert "1 dead letters requeued" in decide(admin_client, "requeue", one, confirmed=1).content.decode()
        assert (state(one), state(two)) == ("pending", "dead")
        assert LogEntry.objects.get().get_change_message() == "requeued"

    def test_discard_needs_a_note(self, admin_client: Client) -> None:
        [event] = dead()
        assert "Say why" in decide(admin_client, "discard", event, confirmed=1, note=" ").content.decode()
        assert state(event) == "dead"
        decide(admin_client, "discard", event, confirmed=1, note="spam")
        assert state(event) == "discarded"
        assert LogEntry.objects.get().get_change_message() == "discarded: spam"

    def test_all_of_a_reason_have_it_in_their_histories(self, admin_client: Client) -> None:
        made = dead(5)
        [other] = dead(1, error="other")
        fields = {"scope": "filter", "reason": made[0].reason, "confirmed": 1}
        decide(admin_client, "requeue", **fields)
        assert {state(event) for event in made} == {"pending"} and state(other) == "dead"
        for event in made:
            assert "requeued, one of 5 at once" in text(admin_client, f"{LIST}{event.pk}/history/")
        assert "requeued" not in text(admin_client, f"{LIST}{other.pk}/history/")

    def test_what_dies_while_someone_thinks_about_it_is_not_meant(self, admin_client: Client) -> None:
        dead(2)
        page = decide(admin_client, "requeue", scope="filter").content.decode()
        asked = re.search(r'name="asked" value="(.*?)"', page)
        assert asked
        Event.objects.filter(pk=dead(1)[0].pk).update(finished_at="2100-01-01T00:00:00Z")
        decide(admin_client, "requeue", scope="filter", asked=asked[1], confirmed=1)
        assert Event.objects.dead().count() == 1

    def test_a_payload_that_cannot_be_stored_stays_dead(self, admin_client: Client) -> None:
        [event] = dead(1, raw=b'{"a": "\\u0000"}')
        assert "1 were left as they are" in decide(admin_client, "requeue", event, confirmed=1).content.decode()
        assert state(event) == "dead"

    def test_many_are_left_to_the_workers(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulk, "AT_ONCE", 2)
        dead(3)
        page = decide(admin_client, "requeue", scope="filter", confirmed=1)
        action = BulkAction.objects.get()
        assert page.redirect_chain == [(f"/admin/events/bulkaction/{action.pk}/change/", 302)]
        assert (action.verb, action.expected, Event.objects.dead().count()) == ("requeue", 3, 3)

    @pytest.mark.parametrize("selected", [[], ["x"], ["9" * 30], ["-1"]])
    def test_a_selection_of_nothing_changes_nothing(self, admin_client: Client, selected: list[str]) -> None:
        dead()
        page = decide(admin_client, "discard", selected=selected, confirmed=1, note="n").content.decode()
        assert "Nothing was selected" in page and Event.objects.dead().count() == 1

    def test_an_unknown_verb_is_404(self, admin_client: Client) -> None:
        assert admin_client.post(DECIDE, {"verb": "delete"}).status_code == 404
        assert admin_client.get(DECIDE).status_code == 404


GOOD = '{"participants": ["did:plc:alice", "did:plc:bob"], "type": "professional", "strength": 30,'
GOOD += '"uri": "at://did:plc:alice/net.rhiz.relationship.record/3lc2example2a",'
GOOD += '"cid": "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", "created_at": "2026-11-01T12:00:00Z"}'


class TestEdit:
    @pytest.fixture
    def letter(self) -> Event:
        return dead(1, event_type="relationship.created", payload={"strength": 300}, digest="of the sender")[0]

    def edit(self, client: Client, letter: Event, payload: str, **fields: str) -> Any:
        page = client.get(f"{LIST}{letter.pk}/edit/").content.decode()
        died = re.search(r'name="died" value="(.*?)"', page)
        assert died
        return client.post(f"{LIST}{letter.pk}/edit/", {"payload": payload, "died": died[1], **fields})

    def test_the_event_is_pending_with_its_new_payload_and_its_old_digest(
        self, admin_client: Client, letter: Event
    ) -> None:
        assert self.edit(admin_client, letter, GOOD).status_code == 302
        letter.refresh_from_db()
        assert (letter.state, letter.payload["strength"], letter.attempts) == (Event.State.PENDING, 30, 0)
        assert letter.digest == "of the sender"

    def test_before_and_after_stand_in_the_log(self, admin_client: Client, letter: Event) -> None:
        self.edit(admin_client, letter, GOOD)
        message = LogEntry.objects.get().get_change_message()
        assert '"strength": 300' in message and '"strength": 30,' in message

    def test_a_payload_that_could_not_be_stored_is_mended(self, admin_client: Client, letter: Event) -> None:
        Event.objects.filter(pk=letter.pk).update(raw=b'{"a":"\\u0000"}', payload={})
        assert self.edit(admin_client, letter, GOOD).status_code == 302
        letter.refresh_from_db()
        assert (letter.state, letter.raw) == (Event.State.PENDING, None)

    @pytest.mark.parametrize(
        ("payload", "told"),
        [
            ("", "not an object"),
            ("[]", "not an object"),
            ('{"a":', "not JSON"),
            ('{"a":"\\u0000"}', "what the log can hold"),
            ('{"a":1e400}', "what the log can hold"),
            ('{"a":"' + "x" * 70_000 + '"}', "at most 65,536 bytes"),
            ('{"strength": 300}', "an integer from 0 to 100"),
            (GOOD.replace("did:plc:alice/", "did:plc:mallory/"), "uri"),
        ],
    )
    def test_what_is_wrong_is_told_and_nothing_changes(
        self, admin_client: Client, letter: Event, payload: str, told: str
    ) -> None:
        response = self.edit(admin_client, letter, payload)
        assert response.status_code == 200 and told in response.content.decode()
        assert state(letter) == "dead" and not LogEntry.objects.exists()

    def test_of_two_who_mend_a_letter_one_is_first(self, admin_client: Client, letter: Event) -> None:
        response = self.edit(admin_client, letter, GOOD, died="2001-01-01T00:00:00+00:00")
        assert response.status_code == 302 and state(letter) == "dead"


def test_a_page_of_letters_takes_as_many_queries_as_a_page_of_one(admin_client: Client) -> None:
    dead()
    with CaptureQueriesContext(connection) as few:
        text(admin_client, LIST)
    dead(40, error="x")
    with CaptureQueriesContext(connection) as many:
        text(admin_client, LIST)
    assert len(many) == len(few) < 20
