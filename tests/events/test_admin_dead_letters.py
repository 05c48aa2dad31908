"""Dead letters in the admin: found and understood."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import bulk
from events.admin import letters
from events.models import Attempt, DeadLetter, Event
from tests.events.letters import LIST, dead, text
from tests.events.states import DIGEST

pytestmark = pytest.mark.django_db


def on_all_pages(admin_client: Client) -> list[int]:
    """The letters of the list, page after page to the last."""
    query: str | None = ""
    seen: list[int] = []
    while query is not None:
        page = admin_client.get(f"{LIST}?{query}").content.decode()
        seen += [int(pk) for pk in re.findall(r'name="selected" value="(\d+)"', page)]
        found = re.search(r'class="paginator"><a href="\?(.*?)"', page)
        query = found and found[1].replace("&amp;", "&")
    return seen


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
        dead(1, event_type="gone.for.good", discarded_at=timezone.now())
        Event.objects.create(event_type="alive.and.well", did="did:plc:a")
        page = text(admin_client, LIST)
        assert "alive.and.well" not in page and "gone.for.good" not in page and "ValueError: strength 300" in page

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
        assert "Invalid filter" in page and 'name="selected"' not in page

    def test_pages_are_followed_to_the_end_though_all_died_at_once(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(letters, "PAGE", 3)
        made = dead(8)
        DeadLetter.objects.filter(pk__in=[each.pk for each in made[2:]]).update(died_at=made[2].died_at)
        assert on_all_pages(admin_client) == [each.pk for each in reversed(made)]

    @pytest.mark.parametrize("after", ["x", "_", "_5", "2026-01-01_1", "2026-13-45T00:00:00+00:00_1", "a_" + "9" * 50])
    def test_a_key_that_is_none_is_the_first_page(self, admin_client: Client, after: str) -> None:
        dead()
        assert 'name="selected"' in text(admin_client, LIST, after=after)

    def test_what_a_stranger_wrote_is_escaped(self, admin_client: Client) -> None:
        evil = "<script>alert(1)</script>"
        [letter] = dead(1, error=evil, payload={evil: evil})
        Attempt.objects.create(event=letter.event, number=1, kind=evil, message=evil, trace=evil, worker=evil)
        for path in (LIST, f"{LIST}{letter.pk}/change/", f"{LIST}{letter.pk}/edit/"):
            assert evil not in text(admin_client, path)


class TestLetter:
    def test_each_attempt_with_its_worker_and_traceback(self, admin_client: Client) -> None:
        [letter] = dead()
        for number in (1, 2):
            Attempt.objects.create(
                event=letter.event,
                number=number,
                kind="ValueError",
                message="no",
                trace="Traceback ...",
                worker="host:7",
            )
        page = text(admin_client, f"{LIST}{letter.pk}/change/")
        assert page.count("at host:7") == 2 and page.index("attempt 2") < page.index("attempt 1")

    def test_a_payload_stands_beside_what_its_type_wants(self, admin_client: Client) -> None:
        payload = {"strength": 300, "type": 7, "context": "fine"}
        [event] = dead(1, event_type="relationship.created", payload=payload)
        page = text(admin_client, f"{LIST}{event.pk}/change/")
        assert "an integer from 0 to 100" in page and "1-100 characters" in page
        assert page.count('class="wrong"') == 2

    def test_what_it_died_of_is_told_though_its_payload_is_wrong_in_another_way_by_now(
        self, admin_client: Client
    ) -> None:
        wrong = {"event_type": "relationship.created", "payload": {"strength": 300}}
        [killer] = dead(1, error="the worker process died 3 times", **wrong)
        [refused] = dead(1, error="strength: 300; allowed: an integer from 0 to 100", **wrong)
        page = text(admin_client, f"{LIST}{killer.pk}/change/")
        assert "It died of:</strong> the worker process died 3 times" in page and "an integer from 0 to 100" in page
        assert "It died of" not in text(admin_client, f"{LIST}{refused.pk}/change/")

    def test_a_letter_without_an_error_says_so(self, admin_client: Client) -> None:
        [letter] = dead(1, error="")
        assert "no error was recorded" in text(admin_client, f"{LIST}{letter.pk}/change/")

    def test_a_payload_that_cannot_be_decoded_is_shown_as_its_text_with_the_reason(self, admin_client: Client) -> None:
        [letter] = dead(1, digest=DIGEST, payload='{"a":"\\ud800\u202e"}')
        page = text(admin_client, f"{LIST}{letter.pk}/change/")
        assert "{&quot;a&quot;:&quot;\\ud800\\u202e&quot;}" in page and "it has a lone surrogate" in page
        assert "\\ud800\\u202e" in text(admin_client, f"{LIST}{letter.pk}/edit/")

    def test_a_discarded_letter_shows_its_note_and_nothing_to_decide(self, admin_client: Client) -> None:
        [letter] = dead(1, discarded_at=timezone.now(), note="a broken <client>")
        page = text(admin_client, f"{LIST}{letter.pk}/change/")
        assert "a broken &lt;client&gt;" in page
        assert 'name="verb"' not in page and f"{LIST}{letter.pk}/edit/" not in page

    def test_a_letter_that_was_requeued_leads_to_its_event_and_keeps_its_history(self, admin_client: Client) -> None:
        [letter] = dead()
        bulk.decide_about(User.objects.get(), "requeue", [letter.pk])
        answer = admin_client.get(f"{LIST}{letter.pk}/change/")
        assert answer["Location"] == f"/admin/events/event/{letter.pk}/change/"
        assert "requeued" in text(admin_client, f"{LIST}{letter.pk}/history/")

    def test_an_event_that_never_was_a_letter_has_no_history_of_one(self, admin_client: Client) -> None:
        event = Event.objects.create(event_type="t", did="did:plc:a")
        assert admin_client.get(f"{LIST}{event.pk}/history/").status_code == 302

    @pytest.mark.parametrize("pk", [1, 2**63, 10**30])
    def test_a_letter_that_is_not_there_is_404(self, admin_client: Client, pk: int) -> None:
        assert admin_client.get(f"{LIST}{pk}/change/").status_code == 404


def test_a_page_of_letters_takes_as_many_queries_as_a_page_of_one(admin_client: Client) -> None:
    dead()
    with CaptureQueriesContext(connection) as few:
        text(admin_client, LIST)
    dead(40, error="x")
    with CaptureQueriesContext(connection) as many:
        text(admin_client, LIST)
    assert len(many) == len(few) < 20
