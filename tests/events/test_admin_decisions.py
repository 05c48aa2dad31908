"""Dead letters in the admin: decided about, one, some or all of a reason, and mended."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models.functions import Now
from django.test import Client

from events import bulk
from events.log.dead_letters import amend, requeue
from events.models import BulkAction, DeadLetter, Event
from tests.events.letters import DECIDE, LIST, dead, text
from tests.events.states import DIGEST, bury, state_of

pytestmark = pytest.mark.django_db


def decide(client: Client, verb: str, *letters: DeadLetter, **fields: Any) -> Any:
    data = {"verb": verb, "scope": "selected", "selected": [letter.pk for letter in letters], **fields}
    return client.post(DECIDE, data, follow=True)


def forms(page: str) -> list[dict[str, str]]:
    """The hidden fields of each form that decides, as a browser sends them."""
    found = re.findall(rf'action="{DECIDE}".*?</form>|method="post" action="{DECIDE}".*?</form>', page, re.DOTALL)
    hidden = r'<input type="hidden" name="(\w+)" value="(.*?)">'
    return [{name: html.unescape(value) for name, value in re.findall(hidden, form)} for form in found]


def state(letter: DeadLetter) -> str:
    return Event.State(state_of(letter.pk).state).label


class TestDecisions:
    def test_nothing_happens_before_it_is_confirmed(self, admin_client: Client) -> None:
        made = dead(2)
        page = decide(admin_client, "requeue", *made).content.decode()
        assert "2 dead letters will be requeued" in page
        assert {state(letter) for letter in made} == {"dead"}

    def test_requeue_selected(self, admin_client: Client) -> None:
        one, two = dead(2)
        assert "1 dead letter requeued" in decide(admin_client, "requeue", one, confirmed=1).content.decode()
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
        assert {state(letter) for letter in made} == {"pending"} and state(other) == "dead"
        for event in made:
            assert "requeued, one of 5 at once" in text(admin_client, f"{LIST}{event.pk}/history/")
        assert "requeued" not in text(admin_client, f"{LIST}{other.pk}/history/")

    @pytest.mark.parametrize("fields", [{"reason": "spelt \u202e by hand "}, {"reason": ""}])
    def test_the_button_of_a_group_decides_about_that_group_alone(
        self, admin_client: Client, fields: dict[str, str]
    ) -> None:
        made = dead(2, error="x", **fields)
        [other] = dead(1)
        group = next(each for each in forms(text(admin_client, LIST)) if each.get("scope") == "filter")
        [asked] = forms(admin_client.post(DECIDE, {**group, "verb": "requeue"}).content.decode())
        admin_client.post(DECIDE, {**asked, "confirmed": "1"})
        assert {state(letter) for letter in made} == {"pending"} and state(other) == "dead"

    def test_what_dies_while_someone_thinks_about_it_is_not_meant(self, admin_client: Client) -> None:
        dead(2)
        page = decide(admin_client, "requeue", scope="filter").content.decode()
        asked = re.search(r'name="asked" value="(.*?)"', page)
        assert asked
        dead(1, died_at=datetime(2100, 1, 1, tzinfo=UTC))
        decide(admin_client, "requeue", scope="filter", asked=asked[1], confirmed=1)
        assert DeadLetter.objects.dead().count() == 1

    def test_a_letter_that_was_decided_about_meanwhile_is_left_as_it_is(self, admin_client: Client) -> None:
        one, gone = dead(2)
        requeue([gone.pk])
        page = decide(admin_client, "discard", one, gone, confirmed=1, note="spam").content.decode()
        assert "1 dead letter discarded" in page and "Left as they are: 1, no longer dead." in page
        assert (state(one), state(gone)) == ("discarded", "pending")

    def test_many_are_left_to_the_workers(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulk, "AT_ONCE", 2)
        dead(3)
        page = decide(admin_client, "requeue", scope="filter", confirmed=1)
        action = BulkAction.objects.get()
        assert page.redirect_chain == [(f"/admin/events/bulkaction/{action.pk}/change/", 302)]
        assert (action.verb, action.expected, DeadLetter.objects.dead().count()) == ("requeue", 3, 3)

    @pytest.mark.parametrize("selected", [[], ["x"], ["9" * 30], ["-1"]])
    def test_a_selection_of_nothing_changes_nothing(self, admin_client: Client, selected: list[str]) -> None:
        dead()
        page = decide(admin_client, "discard", selected=selected, confirmed=1, note="n").content.decode()
        assert "Nothing was selected" in page and DeadLetter.objects.dead().count() == 1

    def test_an_unknown_verb_is_404(self, admin_client: Client) -> None:
        assert admin_client.post(DECIDE, {"verb": "delete"}).status_code == 404
        assert admin_client.get(DECIDE).status_code == 404


GOOD = '{"participants": ["did:plc:alice", "did:plc:bob"], "type": "professional", "strength": 30,'
GOOD += '"uri": "at://did:plc:alice/net.rhiz.relationship.record/3lc2example2a",'
GOOD += '"cid": "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", "created_at": "2026-11-01T12:00:00Z"}'


class TestEdit:
    @pytest.fixture
    def letter(self) -> DeadLetter:
        return dead(1, event_type="relationship.created", payload={"strength": 300}, digest=DIGEST)[0]

    def edit(self, client: Client, letter: DeadLetter, payload: str, **fields: str) -> Any:
        page = client.get(f"{LIST}{letter.pk}/edit/").content.decode()
        died = re.search(r'name="died" value="(.*?)"', page)
        assert died
        return client.post(f"{LIST}{letter.pk}/edit/", {"payload": payload, "died": died[1], **fields})

    def test_the_event_is_pending_with_its_new_payload_and_its_old_digest(
        self, admin_client: Client, letter: DeadLetter
    ) -> None:
        assert self.edit(admin_client, letter, GOOD).status_code == 302
        event = state_of(letter.pk)
        assert (event.state, event.payload["strength"], event.attempts) == (Event.State.PENDING, 30, 0)
        assert event.digest == DIGEST

    def test_before_and_after_stand_in_the_log(self, admin_client: Client, letter: DeadLetter) -> None:
        self.edit(admin_client, letter, GOOD)
        message = LogEntry.objects.get().get_change_message()
        assert '"strength": 300' in message and '"strength": 30,' in message

    def test_a_payload_that_cannot_be_decoded_is_mended(self, admin_client: Client) -> None:
        [letter] = dead(1, event_type="relationship.created", payload='{"a":1e400}', digest=DIGEST)
        assert self.edit(admin_client, letter, GOOD).status_code == 302
        assert state(letter) == "pending" and Event.objects.get(pk=letter.pk).payload["strength"] == 30

    @pytest.mark.parametrize(
        ("payload", "told"),
        [
            ("", "not an object"),
            ("[]", "not an object"),
            ('{"a":', "not JSON"),
            ('{"a":"\\ud800"}', "it has a lone surrogate"),
            ('{"a":1e400}', "it has a number beyond a double"),
            ('{"a":' + "[" * 5_000 + "]" * 5_000 + "}", "it is nested deeper than"),
            ('{"a":"' + "x" * 70_000 + '"}', "at most 65,536 bytes"),
            ('{"strength": 300}', "an integer from 0 to 100"),
            (GOOD.replace("did:plc:alice/", "did:plc:mallory/"), "uri"),
        ],
    )
    def test_what_is_wrong_is_told_and_nothing_changes(
        self, admin_client: Client, letter: DeadLetter, payload: str, told: str
    ) -> None:
        response = self.edit(admin_client, letter, payload)
        assert response.status_code == 200 and told in response.content.decode()
        assert state(letter) == "dead" and not LogEntry.objects.exists()

    def test_of_two_who_mend_a_letter_one_is_first(self, admin_client: Client, letter: DeadLetter) -> None:
        response = self.edit(admin_client, letter, GOOD, died="2001-01-01T00:00:00+00:00")
        assert response.status_code == 302 and state(letter) == "dead"

    def test_a_letter_that_died_by_the_databases_clock_is_mended(
        self, admin_client: Client, letter: DeadLetter
    ) -> None:
        DeadLetter.objects.filter(pk=letter.pk).update(died_at=Now())
        assert self.edit(admin_client, letter, GOOD).status_code == 302
        assert state(letter) == "pending"

    def test_of_two_who_mend_it_at_the_same_time_one_payload_stands(self, letter: DeadLetter) -> None:
        mine, another = DeadLetter.objects.get(pk=letter.pk), DeadLetter.objects.get(pk=letter.pk)
        assert amend(another, {"strength": 1})
        bury(letter.event, "it died again")
        assert not amend(mine, {"strength": 2})
        assert Event.objects.get(pk=letter.pk).payload == {"strength": 1}
