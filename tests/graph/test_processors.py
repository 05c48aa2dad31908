"""The processors against the reference model: whatever the batches, the order and the duplicates."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from events.registry import known_types
from rhiz.graph.synthetic import Mix, events
from rhiz.graph.synthetic.mix import SHARES
from tests.graph import database, model

pytestmark = pytest.mark.django_db
each_example = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # no smaller seed explains more
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
mixes = st.builds(
    Mix,
    hostile=st.sampled_from([0.0, 0.2]),
    duplicates=st.sampled_from([0.0, 0.3]),
    mixed_priorities=st.booleans(),
    rev=st.booleans(),
    occurred_at=st.booleans(),
)


def shuffled_batches(random: Random, items: list[Any]) -> list[list[Any]]:
    """`items` in a random order, cut at random places."""
    items = random.sample(items, len(items))
    cuts = sorted(random.choices(range(len(items) + 1), k=random.randint(0, 12)))
    return [items[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(items)], strict=True)]


def test_every_event_type_of_the_protocol_has_a_processor() -> None:
    assert set(SHARES) <= known_types()


@each_example
@given(seed=st.integers(0, 2**32), people=st.integers(2, 12), mix=mixes, random=st.randoms(use_true_random=False))
def test_tables_depend_on_the_events_alone(seed: int, people: int, mix: Mix, random: Random) -> None:
    network = list(events(seed, 250, people, mix))
    expected = model.apply(network)
    log = database.entries(network)

    database.empty()
    dead = database.run(log)
    in_one_batch = database.everything()
    assert database.read() == expected
    assert dead == model.dead(network)

    database.empty()
    again = random.sample(log, len(log) // 5)  # crashed after its commit, or requeued
    for batch in shuffled_batches(random, log + again):
        database.run(batch)
    assert database.everything() == in_one_batch


def relationship(number: int, change: str, occurred_at: str, **fields: Any) -> model.Event:
    uri = "at://did:plc:alice/net.rhiz.relationship.record/3jzfcijpj2z2a"
    people = ["did:plc:alice", "did:plc:bob"]
    content = {"cid": "bafyreiabc", "participants": people, "type": "family", "strength": 1, "created_at": occurred_at}
    return {
        "event_id": f"00000000-0000-4000-8000-{number:012}",
        "event_type": f"relationship.{change}",
        "did": "did:plc:alice",
        "occurred_at": occurred_at,
        "payload": {"uri": uri} if change == "deleted" else {"uri": uri, **content, **fields},
    }


def test_a_late_create_does_not_revive_what_was_deleted() -> None:
    created = relationship(1, "created", "2025-01-01T00:00:00Z")
    deleted = relationship(2, "deleted", "2025-01-02T00:00:00Z")
    database.run([database.entry(deleted, 2)])
    database.run([database.entry(created, 3)])
    assert database.read() == model.Tables(tombstones={("relationship", created["payload"]["uri"])})


def test_a_newer_create_publishes_the_record_again() -> None:
    deleted = relationship(1, "deleted", "2025-01-02T00:00:00Z")
    created = relationship(2, "created", "2025-01-03T00:00:00Z", strength=7)
    database.run([database.entry(deleted, 1)])
    database.run([database.entry(created, 2)])
    tables = database.read()
    assert [row["strength"] for row in tables.relationships.values()] == [7]
    assert not tables.tombstones


def test_of_two_events_of_one_moment_the_later_in_the_log_stands() -> None:
    moment = "2025-01-01T00:00:00Z"
    one, two = (relationship(n, "updated", moment, strength=n) for n in (1, 2))
    database.run([database.entry(two, 2)])
    database.run([database.entry(one, 1)])
    assert [row["strength"] for row in database.read().relationships.values()] == [2]


def test_a_tombstone_is_blank_whether_the_record_was_there_before_or_not() -> None:
    created = database.entry(relationship(1, "created", "2025-01-01T00:00:00Z"), 1)
    deleted = database.entry(relationship(2, "deleted", "2025-01-02T00:00:00Z"), 2)
    database.run([created])
    database.run([deleted])
    known = database.everything()
    database.empty()
    database.run([deleted])
    assert database.everything() == known
