"""Keys are the record's own, and deleted records are out of everyone's way."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from django.db import connection
from model_bakery import baker

from rhiz.graph.models import Attestation, Profile, Record, Relationship
from rhiz.graph.record_key import key_of

pytestmark = pytest.mark.django_db
URI = "at://did:plc:alice/net.rhiz.relationship.record/3jzfcijpj2z2a"


def test_the_key_is_half_a_sha256_of_the_uri() -> None:
    assert key_of(URI).bytes == sha256(URI.encode()).digest()[:16]


def test_create_fills_the_keys() -> None:
    attestation = Attestation.objects.create(uri="at://did:plc:bob/a.b.c/1", target_uri=URI)
    assert attestation.pk == key_of("at://did:plc:bob/a.b.c/1")
    assert Attestation.objects.get(target_key=key_of(URI)) == attestation


def test_bulk_create_fills_the_keys() -> None:
    Relationship.objects.bulk_create([Relationship(uri=URI), Relationship(uri=f"{URI}b")])
    assert set(Relationship.objects.values_list("key", flat=True)) == {key_of(URI), key_of(f"{URI}b")}


@pytest.mark.parametrize("model", [Relationship, Attestation, Profile])
def test_bakery_makes_several(model: type[Record]) -> None:
    made: list[Record] = baker.make(model, _quantity=3)
    assert model.objects.count() == 3
    assert {row.key for row in made} == set(model.objects.values_list("key", flat=True))


def test_a_profile_is_found_by_its_did() -> None:
    assert baker.make(Profile, did="did:plc:alice").key == key_of("did:plc:alice")


def test_saving_again_updates_the_row() -> None:
    relationship = Relationship.objects.create(uri=URI, strength=1)
    relationship.strength = 2
    relationship.save()
    assert Relationship.objects.get().strength == 2


def test_tombstones_are_seen_only_by_who_asks_for_them() -> None:
    tombstone = Relationship.objects.create(uri=URI, deleted=True)
    assert not Relationship.objects.exists()
    assert Relationship.with_tombstones.get() == tombstone
    tombstone.refresh_from_db()
    tombstone.save()
    assert Relationship.with_tombstones.count() == 1


def test_participants_keep_the_records_order() -> None:
    assert Relationship(participant_a="did:plc:b", participant_b="did:plc:a").participants == ("did:plc:b", "did:plc:a")


@pytest.mark.parametrize(
    ("model", "filters", "index"),
    [
        (Relationship, {"participant_a": "did:plc:a"}, "graph_relationship_a"),
        (Relationship, {"participant_b": "did:plc:a"}, "graph_relationship_b"),
        (Relationship, {"did": "did:plc:a"}, "graph_relationship_did"),
        (Attestation, {"did": "did:plc:a"}, "graph_attestation_did"),
        (Attestation, {"target_key": key_of(URI)}, "graph_attestation_target"),
    ],
)
def test_lookups_use_their_index(model: type[Record], filters: dict[str, object], index: str) -> None:
    # With rows, and counted: on an empty table every index costs the same.
    several: list[dict[str, Any]] = [{"uri": f"{URI}{n}", "did": f"did:plc:{n}"} for n in range(500)]
    for n, fields in enumerate(several):
        if model is Attestation:
            fields["target_uri"] = f"{URI}{n}"
        else:
            fields |= {"participant_a": f"did:plc:a{n}", "participant_b": f"did:plc:b{n}"}
    model.objects.bulk_create(model(**fields) for fields in several)
    with connection.cursor() as cursor:
        cursor.execute(f"analyze {model._meta.db_table}")
    assert index in model.objects.filter(**filters).explain()


def test_postgresql_compares_identifiers_by_their_bytes() -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'graph_relationship' "
            "AND collation_name = 'C'"
        )
        assert {name for (name,) in cursor} == {"did", "cid", "participant_a", "participant_b"}


def test_the_longest_did_fits_its_indexes() -> None:
    longest = "did:web:" + "x%3A" * 510
    assert len(longest) == 2048
    Relationship.objects.create(
        uri=f"at://{longest}/a.b.c/1", did=longest, participant_a=longest, participant_b=longest
    )
