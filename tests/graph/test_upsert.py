"""The one statement that writes a batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection

from rhiz.graph import upsert
from rhiz.graph.models import Attestation, Profile, Record, Relationship
from rhiz.graph.record_key import key_hex
from rhiz.graph.rows import AttestationRow, ProfileRow, RelationshipRow, Row

ROWS: dict[type[Record], type[Row]] = {
    Relationship: RelationshipRow,
    Attestation: AttestationRow,
    Profile: ProfileRow,
}


def row(rkey: str, version: int = 1, event: int = 1, **fields: Any) -> RelationshipRow:
    uri = f"at://did:plc:alice/net.rhiz.relationship.record/{rkey}"
    return RelationshipRow(key=key_hex(uri), uri=uri, did="did:plc:alice", version=version, event=event, **fields)


@pytest.mark.parametrize("model", ROWS)
def test_rows_have_the_columns_of_their_table(model: type[Record]) -> None:
    assert set(ROWS[model].__struct_fields__) == {field.column for field in model._meta.concrete_fields}


def test_newest_folds_by_version_then_event_and_sorts_by_key() -> None:
    rows = [row("a", 2, 1), row("b", 1, 9), row("a", 2, 3), row("a", 1, 7), row("c"), row("b", 1, 8)]
    kept = upsert.newest(rows)
    assert [each.key for each in kept] == sorted({each.key for each in rows})
    assert {(each.uri[-1], each.version, each.event) for each in kept} == {("a", 2, 3), ("b", 1, 9), ("c", 1, 1)}


@pytest.mark.django_db
def test_every_value_arrives_as_it_was() -> None:
    created_at = datetime(985, 4, 12, 23, 20, 50, 123456, tzinfo=UTC)
    text = "quotes ' \" \\ %s %% {} \n é 同 🙂 \u2028"
    given = row("a", 10, 20, cid="c", created_at=created_at, kind=text, strength=100, context="")
    upsert.write(Relationship, [given])
    stored = Relationship.objects.get()
    assert {name: getattr(stored, name) for name in given.__struct_fields__ if name != "key"} == {
        name: getattr(given, name) for name in given.__struct_fields__ if name != "key"
    }
    assert stored.key.hex == given.key
    assert Relationship.objects.filter(created_at=created_at, deleted=False).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
)
def test_the_ends_of_time_can_be_stored(moment: datetime) -> None:
    upsert.write(Relationship, [row("a", created_at=moment)])
    assert Relationship.objects.get().created_at == moment


@pytest.mark.django_db
def test_only_newer_rows_replace() -> None:
    upsert.write(Relationship, [row("a", 5, 5, strength=55)])
    for version, event in ((4, 9), (5, 4), (5, 5)):
        upsert.write(Relationship, [row("a", version, event, strength=1)])
        assert Relationship.objects.get().strength == 55
    upsert.write(Relationship, [row("a", 5, 6, strength=56)])
    assert Relationship.objects.get().strength == 56


@pytest.mark.django_db
def test_nothing_to_write_is_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        upsert.write(Relationship, [])


@pytest.mark.django_db
def test_refusals_of_the_database_are_djangos_errors() -> None:
    with pytest.raises(DatabaseError):
        upsert.write(Relationship, [RelationshipRow(key=None, uri="", did="", version=1, event=1)])  # type: ignore[arg-type]


@pytest.mark.django_db
def test_an_attestation_without_suggestion_stores_null() -> None:
    attestation = AttestationRow(key="0" * 32, uri="at://a", did="d", version=1, event=1, target_key="1" * 32)
    upsert.write(Attestation, [attestation])
    stored = Attestation.objects.get()
    assert stored.suggested_strength is None
    assert stored.target_key == UUID("1" * 32)


RETURNING = ("participant_a", "participant_b")


@pytest.mark.django_db
def test_what_stood_before_is_told_where_it_was_something_else() -> None:
    known = [row("same", participant_b="b"), row("other", participant_b="b"), row("gone", participant_b="c")]
    assert not upsert.write(Relationship, known, returning=RETURNING)
    after = [row("same", 2, participant_b="b"), row("other", 2, participant_b="x"), row("gone", 2, deleted=True)]
    told = upsert.write(Relationship, [*after, row("new", 2, participant_b="n")], returning=RETURNING)
    assert sorted(tuple(each) for each in told) == [("", "b"), ("", "c")]
    assert not upsert.write(Relationship, after, returning=RETURNING)


@pytest.mark.django_db
def test_one_statement_writes_and_tells_unless_the_database_has_one_writer(django_assert_num_queries: Any) -> None:
    """PostgreSQL's goes past Django's cursor, which counts."""
    with django_assert_num_queries(0 if connection.vendor == "postgresql" else 2):
        upsert.write(Relationship, [row("a"), row("b")], returning=RETURNING)
