"""What is told of the graph is what its tables say now, whatever is cached; and a bad question says what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import caches
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from model_bakery import baker
from rest_framework.test import APIClient

from cachecore import cache
from rhiz.graph import keys, neighbours
from rhiz.graph.models import Attestation, Relationship
from rhiz.graph.synthetic import Mix, events
from tests.graph import database
from tests.graph.test_processors import each_example, shuffled_batches

pytestmark = pytest.mark.django_db(transaction=True)
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
ALICE, BOB, CAROL = "did:plc:alice", "did:plc:bob", "did:plc:carol"


def related(a: str, b: str, number: int = 0, **columns: Any) -> Relationship:
    uri = f"at://{a}/net.rhiz.relationship/{b.rpartition(':')[2]}{number}"
    return baker.make(Relationship, uri=uri, did=a, participant_a=a, participant_b=b, kind="personal", **columns)


def attested(target: Relationship, kind: str, *, by: str = CAROL, **columns: Any) -> Attestation:
    number = Attestation.objects.count()
    made = {"confidence": 100, "created_at": AS_OF - timedelta(days=1), **columns}
    uri = f"at://{by}/net.rhiz.attestation/{number}"
    return baker.make(Attestation, uri=uri, did=by, target_uri=target.uri, attestation_type=kind, **made)


def people(api: APIClient, did: str, query: str = "") -> Any:
    return api.get(f"/internal/graph/relationships/{did}{query}").json()


@each_example
@given(seed=st.integers(0, 2**32), mix=st.builds(Mix, rev=st.booleans()), random=st.randoms(use_true_random=False))
def test_no_answer_is_older_than_the_events_that_were_applied(seed: int, mix: Mix, random: Random) -> None:
    database.empty()
    cache.clear()
    log = database.entries(events(seed, 120, 5, mix))
    dids, uris = sorted({each.did for each in log}), set()
    for batch in shuffled_batches(random, log):
        database.run(batch)
        uris |= set(Relationship.objects.values_list("uri", flat=True))
        for did in dids:
            told = neighbours.page(did, after="", limit=200, as_of=AS_OF).neighbours
            now = neighbours._compute([each["uri"] for each in told], AS_OF)
            true = neighbours._read(did, "", 200).neighbours
            assert told == [{**each, "conviction": now[each["uri"]]} for each in true]
        assert neighbours.convictions(uris, AS_OF) == neighbours._compute(sorted(uris), AS_OF)


def test_neighbours_are_told_with_strength_and_conviction(api: APIClient) -> None:
    attested(related(ALICE, BOB, strength=70, context="school"), "verify")
    related(CAROL, ALICE, strength=20)
    told = people(api, ALICE, f"?as_of={AS_OF:%Y-%m-%dT%H:%M:%SZ}")

    by_did = {each["did"]: each for each in told["neighbours"]}
    assert by_did.keys() == {BOB, CAROL}
    assert (by_did[BOB]["strength"], by_did[BOB]["context"]) == (70, "school")
    assert by_did[BOB]["conviction"]["score"] == 81  # 50 + 25 * 1.25 * 0.5 ** (1 / 180)
    assert by_did[BOB]["conviction"]["attestations"] == {"verify": 1, "strengthen": 0, "weaken": 0, "dispute": 0}
    assert by_did[CAROL]["conviction"]["score"] == 0
    assert told["as_of"] == "2026-11-01T00:00:00Z"
    assert told["next"] is None


def test_pages_lead_to_all_neighbours_each_once(api: APIClient) -> None:
    for number in range(7):
        related(ALICE, f"did:plc:n{number}")
    seen, address = [], f"/internal/graph/relationships/{ALICE}?limit=3&as_of=2026-11-01T00:00:00Z"
    while address:
        told = api.get(address).json()
        seen.append([each["did"] for each in told["neighbours"]])
        assert told["as_of"] == "2026-11-01T00:00:00Z"
        address = told["next"]

    assert [len(each) for each in seen] == [3, 3, 1]
    assert {did for page in seen for did in page} == {f"did:plc:n{number}" for number in range(7)}


def test_the_next_page_is_of_the_same_did_whatever_is_in_it(api: APIClient) -> None:
    did = "did:web:localhost%3A8080"
    for number in range(3):
        related(did, f"did:plc:n{number}")
    told = people(api, quote(did), "?limit=2")
    last = api.get(told["next"]).json()

    assert (told["did"], last["did"]) == (did, did)
    assert (len(told["neighbours"]), len(last["neighbours"]), last["next"]) == (2, 1, None)


def test_who_changes_places_while_a_page_is_read_is_on_it() -> None:
    row = related(ALICE, BOB)

    def swap() -> None:
        Relationship.objects.filter(pk=row.pk).update(participant_a=BOB, participant_b=ALICE)
        connections.close_all()

    def swapped_after(execute: Any, *statement: Any) -> Any:
        result = execute(*statement)
        if "participant_a" in statement[0] and not swapping:
            swapping.append(Thread(target=swap))
            swapping[0].start()
            swapping[0].join()
        return result

    swapping: list[Thread] = []
    with connection.execute_wrapper(swapped_after):
        told = neighbours.page(BOB, after="", limit=50, as_of=AS_OF).neighbours
    assert Relationship.objects.get().participants == (BOB, ALICE)
    assert [each["did"] for each in told] == [ALICE]


def test_a_second_answer_asks_the_database_nothing(api: APIClient) -> None:
    related(ALICE, BOB)
    neighbours.page(ALICE, after="", limit=50, as_of=None)
    with CaptureQueriesContext(connection) as queries:
        neighbours.page(ALICE, after="", limit=50, as_of=None)

    assert len(queries) == 0


def test_a_conviction_is_told_for_a_point_in_time(api: APIClient) -> None:
    relationship = related(ALICE, BOB)
    attested(relationship, "verify", created_at=AS_OF - timedelta(days=10))
    attested(relationship, "dispute", created_at=AS_OF + timedelta(days=10))
    address = f"/internal/graph/conviction/{quote(relationship.uri)}"
    assert api.get(f"/internal/graph/conviction/{relationship.uri}").json()["uri"] == relationship.uri

    before = api.get(f"{address}?as_of=2026-11-01T00:00:00Z").json()
    after = api.get(f"{address}?as_of=2026-12-01T00:00:00Z").json()
    assert before["attestations"]["dispute"] == 0
    assert after["attestations"]["dispute"] == 1
    assert before["score"] > after["score"]
    assert before["uri"] == relationship.uri


def test_without_a_point_in_time_the_answer_tells_when_it_was_computed(api: APIClient) -> None:
    uri = related(ALICE, BOB).uri
    first = api.get(f"/internal/graph/conviction/{uri}").json()["as_of"]

    assert abs(datetime.now(UTC) - datetime.fromisoformat(first)) < timedelta(minutes=1)
    assert api.get(f"/internal/graph/conviction/{uri}").json()["as_of"] == first


def test_a_relationship_nobody_has_heard_of_has_no_conviction_yet(api: APIClient) -> None:
    told = api.get("/internal/graph/conviction/at://did:plc:x/net.rhiz.relationship/1").json()

    assert (told["score"], told["trend"]) == (0, "stable")


def test_a_did_with_the_characters_of_patterns_is_itself_alone(api: APIClient) -> None:
    odd, other = "did:web:a%5B*%5D", "did:web:a%5Bx%5D"
    for did in (ALICE, BOB):
        related(did, "did:plc:x")
    assert people(api, quote(odd, safe=":"))["field"] == "did"  # no DID: but no other's neighbours either
    assert keys.neighbours(odd, "", 1).key != keys.neighbours(other, "", 1).key
    cache.invalidate([keys.neighbours(odd, "", 1).tags[0]])
    people(api, ALICE)
    cache.invalidate(["did:plc:*", "did:plc:[a]lice", "did:plc:alic?"])
    with CaptureQueriesContext(connection) as queries:
        neighbours.page(ALICE, after="", limit=50, as_of=None)
    assert len(queries) == 0


@pytest.mark.parametrize(
    ("address", "field", "allowed"),
    [
        ("relationships/alice", "did", "a DID such as"),
        ("relationships/did:plc:a/b", "did", "a DID such as"),
        ("relationships/at://did:plc:a/net.rhiz.relationship/1", "did", "a DID such as"),
        ("relationships/did:plc:a?limit=0", "limit", "1 to 200"),
        ("relationships/did:plc:a?limit=201", "limit", "1 to 200"),
        ("relationships/did:plc:a?limit=00000000000000000000050", "limit", "1 to 200"),
        ("relationships/did:plc:a?after=x", "after", "`next`"),
        ("relationships/did:plc:a?as_of=yesterday", "as_of", "RFC 3339"),
        ("conviction/at://did:plc:a", "uri", "at://"),
        ("conviction/https://example.com/", "uri", "at://"),
        ("conviction/at://did:plc:a/net.rhiz.relationship/1?as_of=2026", "as_of", "RFC 3339"),
    ],
)
def test_a_bad_question_is_answered_with_field_problem_and_what_is_allowed(
    api: APIClient, address: str, field: str, allowed: str
) -> None:
    response = api.get(f"/internal/graph/{address}")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["field"] == field
    assert allowed in response.json()["allowed"]


def test_the_graph_is_not_told_without_the_key() -> None:
    assert APIClient().get(f"/internal/graph/relationships/{ALICE}").status_code == 401


@pytest.mark.postgresql
def test_a_page_of_a_hub_is_read_by_an_index_in_order() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO graph_relationship (key, uri, did, cid, version, event, deleted, participant_a, participant_b,"
            " kind, strength, context) SELECT gen_random_uuid(), i::text, 'd', '', 1, i, false, 'did:plc:hub', i::text,"
            " 'x', 1, '' FROM generate_series(1, 20000) AS i"
        )
        cursor.execute("ANALYZE graph_relationship")
        cursor.execute(
            "EXPLAIN SELECT * FROM graph_relationship WHERE NOT deleted AND participant_a = 'did:plc:hub'"
            " AND key > '80000000-0000-0000-0000-000000000000' ORDER BY key LIMIT 51"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "graph_relationship_a_key" in plan
    assert "Sort" not in plan


def test_keys_are_short_and_plain_whatever_the_identifiers_are() -> None:
    long = f"at://did:plc:a/net.rhiz.relationship/{'x' * 8_000}"
    for made in (keys.conviction(long, AS_OF), keys.neighbours(f"did:web:{'a' * 2_000}", "f" * 32, 200)):
        caches["default"].validate_key(caches["default"].make_key(made.key))
        assert len(made.key) < 150
