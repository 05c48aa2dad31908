"""The life of one DID on one page: its events with their outcomes, and what the graph made of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from model_bakery import baker

from events.admin.life import ROWS
from events.models import Attempt, Event
from rhiz.graph.models import Attestation, Profile
from tests.events import states
from tests.graph.test_neighbours import ALICE, BOB, CAROL, attested, related

pytestmark = pytest.mark.django_db

LIFE = "/admin/events/event/life/"


def sections(client: Client, **asked: str) -> dict[str, Any]:
    answer = client.get(LIFE, {"did": ALICE, **asked})
    assert answer.status_code == 200
    return {section.slug: section for section in answer.context["sections"]}


def test_events_are_told_in_order_with_what_became_of_each(admin_client: Client) -> None:
    now = timezone.now()
    later = now + timedelta(hours=1)
    done = states.done(did=ALICE)
    died = states.dead(did=ALICE, error="Traceback\nValueError: strength 300")
    discarded = states.dead(did=ALICE, error="ValueError: no", discarded_at=now, note="a broken client")
    retried = states.pending(did=ALICE, attempts=2, available_at=later)
    Attempt.objects.create(event=retried, number=2, kind="KeyError", message="'x'")
    behind = states.pending(did=ALICE, available_at=later)
    requeued = states.pending(did=ALICE, received_at=now - timedelta(days=1), available_at=now)
    ready = states.pending(did=ALICE)
    baker.make(Event, did=BOB, event_type="not.alices")
    rows = sections(admin_client)["events"].table.rows
    assert [re.findall(r"event/(\d+)/", str(row[1])) for row in rows] == [
        [str(event.pk)] for event in (ready, requeued, behind, retried, discarded, died, done)
    ]
    assert [(row[2], row[5]) for row in rows] == [
        ("pending", ""),
        ("pending", ""),
        ("pending", "waits behind an earlier event of this DID"),
        ("pending", f"tried again from {later:%H:%M:%S} on: KeyError: 'x'"),
        ("discarded", "a broken client"),
        ("dead", "ValueError: strength 300"),
        ("done", ""),
    ]


def test_relationships_and_attestations_by_and_about_are_told(admin_client: Client) -> None:
    baker.make(Profile, did=ALICE, display_name="Alice <b>")
    mine = related(ALICE, BOB)
    attested(mine, "verify", by=CAROL)
    attested(related(BOB, CAROL), "dispute", by=ALICE)
    page = admin_client.get(LIFE, {"did": ALICE}).content.decode()
    told = sections(admin_client)
    assert "Alice &lt;b&gt;" in page
    assert [len(told[slug].table.rows) for slug in ("profile", "relationships")] == [1, 1]
    assert [row[2] for row in told["attestations-by"].table.rows] == ["dispute"]
    assert [row[2] for row in told["attestations-about"].table.rows] == ["verify"]
    assert f"{LIFE}?did={quote(BOB, safe='')}" in page


def whole(client: Client, slug: str) -> list[str]:
    """The first column of a section, page after page."""
    found, after = [], ""
    while True:
        section = sections(client, **({slug: after} if after else {}))[slug]
        assert len(section.table.rows) <= ROWS
        assert bool(section.first) == bool(after)
        found += [str(row[1] if slug == "events" else row[0]) for row in section.table.rows]
        after = section.table.after
        if not after:
            return found


def many_events() -> list[str]:
    return [str(event.pk) for event in reversed(baker.make(Event, did=ALICE, _quantity=45))]


def many_relationships() -> list[str]:
    made = [related(*((ALICE, BOB) if n % 2 else (BOB, ALICE)), number=n) for n in range(45)]
    return [str(row.pk) for row in sorted(made, key=lambda row: row.pk.hex)]


def many_attestations() -> list[str]:
    made = [attested(related(BOB, CAROL, number=n), "verify", by=ALICE) for n in range(45)]
    return [str(row.pk) for row in sorted(made, key=lambda row: row.pk.hex)]


@pytest.mark.parametrize(
    ("slug", "make"),
    [("events", many_events), ("relationships", many_relationships), ("attestations-by", many_attestations)],
)
def test_a_long_life_is_paged_and_nothing_is_told_twice_or_left_out(
    admin_client: Client, slug: str, make: Callable[[], list[str]]
) -> None:
    expected = make()
    told = [re.findall(r"/([0-9a-f-]+)/change/", cell)[0] for cell in whole(admin_client, slug)]
    assert told == expected


def test_the_page_costs_as_much_for_a_hub_as_for_a_newcomer(admin_client: Client) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            sections(admin_client)
        return len(queries)

    related(ALICE, BOB)
    before = asked()
    many_events(), many_relationships(), many_attestations()
    assert asked() <= before + 1


@pytest.mark.parametrize("did", ["", "alice", "did:plc:", "at://did:plc:alice/x.y.z/1", "did:plc:a\n", "<script>"])
def test_what_is_no_did_is_refused_with_what_one_is(admin_client: Client, did: str) -> None:
    answer = admin_client.get(LIFE, {"did": did})
    if did.strip() == did or not did:
        assert answer.status_code == 400
        assert "a DID such as" in answer.content.decode()
    assert "<script>&#x27;" not in answer.content.decode()


@pytest.mark.parametrize("after", ["-1", "nonsense", "9" * 40, "²", "%00", "0" * 32])
def test_a_forged_place_in_a_section_is_no_error(admin_client: Client, after: str) -> None:
    related(ALICE, BOB)
    sections(admin_client, **dict.fromkeys(("events", "relationships", "attestations-by", "attestations-about"), after))


def test_who_may_not_see_events_does_not_see_lives(client: Client) -> None:
    client.force_login(baker.make(User, is_staff=True, is_active=True))
    assert client.get(LIFE, {"did": ALICE}).status_code == 403


def test_sections_of_the_graph_are_read_along_their_indexes() -> None:
    for n in range(300):
        attested(related(f"did:plc:{n}", BOB, n), "verify", by=f"did:plc:{n % 2}")
    vendor = connection.vendor
    with connection.cursor() as cursor:
        cursor.execute("analyze")
        if vendor == "postgresql":
            cursor.execute("set local enable_seqscan = off")
        by = Attestation.objects.filter(did="did:plc:1", key__gt="0" * 32).order_by("key")[: ROWS + 1]
        sql, parameters = by.query.sql_with_params()
        cursor.execute(f"{'explain query plan' if vendor == 'sqlite' else 'explain'} {sql}", parameters)
        plan = str(cursor.fetchall())
    assert "graph_attestation_did_key" in plan and "Sort" not in plan and "TEMP B-TREE" not in plan, plan
