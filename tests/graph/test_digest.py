"""The digest: the same for the same graph, another for any difference in what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from rhiz.graph.conviction import Opinion, score
from rhiz.graph.digest import _relationships, digest
from rhiz.graph.models import Attestation, Profile, Relationship
from rhiz.graph.snapshot import rows, snapshot
from rhiz.graph.synthetic import Mix, events
from tests.graph import database

pytestmark = pytest.mark.django_db

# Of the network below, the same on every database and machine.
KNOWN = "03af95a486b562d6b149514f53758c9b6fae8e8bd7a148b9138a0034a8969318"
NETWORK = Mix(hostile=0.05, duplicates=0.05, rev=True)
URI = "at://did:plc:alice/net.rhiz.relationship.record/1"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def fill(count: int = 1_500) -> None:
    database.run(database.entries(events(1, count, 15, NETWORK)))


def attest(uri: str, **fields: Any) -> Attestation:
    known = {"target_uri": URI, "attestation_type": "verify", "confidence": 100, "created_at": NOON}
    return Attestation.objects.create(uri=uri, did="did:plc:bob", **{**known, **fields})


def test_the_digest_of_a_known_network() -> None:
    fill()
    assert digest().sha256 == KNOWN


def test_an_empty_graph_has_a_digest() -> None:
    found = digest()
    assert found[1:5] == (0, 0, 0, 0)
    assert found.as_of == datetime(1970, 1, 1, tzinfo=UTC)


def test_versions_do_not_matter_and_contents_do() -> None:
    fill()
    before = digest()
    Relationship.objects.update(version=1, event=2)
    assert digest() == before
    for model, change in (
        (Relationship, {"context": "?"}),
        (Attestation, {"evidence": "?"}),
        (Profile, {"bio": "?"}),
        (Relationship, {"deleted": True}),
    ):
        one = model.objects.order_by("key")[0]
        model.objects.filter(key=one.key).update(**change)
        after = digest()
        assert after.sha256 != before.sha256
        before = after


def test_counts() -> None:
    fill()
    tables = database.read()
    assert digest()[1:5] == (
        len(tables.relationships),
        len(tables.attestations),
        len(tables.profiles),
        len(tables.tombstones),
    )


def test_convictions_are_those_of_the_attestations_at_that_time() -> None:
    fill()
    as_of = Attestation.objects.order_by("created_at")[len(Attestation.objects.all()) // 2].created_at
    assert as_of is not None
    with snapshot():
        found = {row[-2]: row[-1] for row in _relationships(as_of)}
    expected = {}
    for relationship in Relationship.objects.all():
        attestations = Attestation.objects.filter(target_key=relationship.key).order_by("uri")
        opinions = [Opinion(a.attestation_type, a.confidence, a.created_at) for a in attestations if a.created_at]
        expected[relationship.uri] = score(opinions, as_of)
    assert found == expected
    assert len(set(found.values())) > 5


def test_time_is_an_argument() -> None:
    Relationship.objects.create(uri=URI, created_at=NOON)
    attest("at://did:plc:bob/a.b.c/1")
    assert digest().as_of == NOON
    assert digest(NOON).sha256 == digest().sha256
    assert digest(NOON - timedelta(days=1)).sha256 != digest().sha256
    assert digest(NOON + timedelta(days=180)).sha256 != digest().sha256


def test_deleted_attestations_do_not_count() -> None:
    Relationship.objects.create(uri=URI, created_at=NOON)
    attest("at://did:plc:bob/a.b.c/1", deleted=True)
    with snapshot():
        assert [row[-1] for row in _relationships(NOON)] == [0]


def test_rows_made_by_hand_do_not_stop_it() -> None:
    Relationship.objects.create(uri=URI)
    Attestation.objects.create(uri="at://did:plc:bob/a.b.c/1")
    Attestation.objects.create(uri="at://did:plc:bob/a.b.c/2", target_uri=URI)
    assert digest().attestations == 2


def test_the_command_prints_the_hash_alone_on_its_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    fill(200)
    call_command("graph_digest", "--as-of", "2026-01-01T00:00:00Z")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["as", "of", "2026-01-01T00:00:00Z"]
    assert [line.split()[0] for line in lines[1:-1]] == ["relationships", "attestations", "profiles", "tombstones"]
    assert lines[-1] == digest(datetime(2026, 1, 1, tzinfo=UTC)).sha256


def test_the_command_refuses_what_is_no_time() -> None:
    with pytest.raises(CommandError, match="RFC 3339"):
        call_command("graph_digest", "--as-of", "yesterday")


@pytest.mark.django_db(transaction=True)
def test_it_reads_in_chunks_where_server_side_cursors_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhiz.graph.snapshot.CHUNK", 7)
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)  # as behind a pooler
    fill()
    assert digest().sha256 == KNOWN
    assert not connection.in_atomic_block


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_neither_sees_nor_stops_a_writer() -> None:
    def write() -> None:
        try:
            Relationship.objects.create(uri=URI)
        finally:
            connection.close()

    with snapshot():
        assert not list(rows(Relationship.objects.values_list("uri")))
        writer = Thread(target=write)
        writer.start()
        writer.join(timeout=10)
        assert not writer.is_alive()
        assert not list(rows(Relationship.objects.values_list("uri")))
    assert list(Relationship.objects.values_list("uri", flat=True)) == [URI]
