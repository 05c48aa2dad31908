"""The synthetic network: the same for the same seed, skewed, and made of what it says."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from itertools import islice

import pytest

from events import envelope
from rhiz.graph.synthetic import Mix, events, identifiers
from tests.graph import database, model

FULL = Mix(hostile=0.1, duplicates=0.1, mixed_priorities=True, rev=True, occurred_at=True)


def test_a_seed_is_a_network() -> None:
    assert list(events(1, 500, 50, FULL)) == list(events(1, 500, 50, FULL))
    assert list(events(1, 500, 50, FULL)) != list(events(2, 500, 50, FULL))


def test_more_events_begin_with_the_same_ones() -> None:
    assert list(islice(events(1, 10_000, 50), 100)) == list(events(1, 100, 50))


def test_every_event_is_an_envelope_that_the_log_takes() -> None:
    for event in events(3, 2_000, 20, FULL):
        envelope.from_mapping(event)


def test_plain_events_all_fit_and_hostile_ones_all_end_dead() -> None:
    assert not model.dead(events(4, 3_000, 20))
    network = list(events(4, 3_000, 20, Mix(hostile=0.2)))
    assert 300 < len(model.dead(network)) < 700


@pytest.mark.django_db
def test_processors_refuse_what_the_model_refuses() -> None:
    network = list(events(5, 3_000, 20, Mix(hostile=0.5)))
    assert database.run(database.entries(network)) == model.dead(network)


def test_duplicates_come_as_they_were_or_under_another_id() -> None:
    network = list(events(6, 2_000, 20, Mix(duplicates=0.2)))
    ids = {event["event_id"] for event in network}
    contents = {json.dumps({**event, "event_id": ""}) for event in network}
    assert len(contents) < len(ids) < len(network)


def test_people_are_chosen_by_zipfs_law() -> None:
    counts = [count for _, count in Counter(event["did"] for event in events(7, 20_000, 1_000)).most_common()]
    assert 1.5 < counts[0] / counts[1] < 2.7
    assert 6 < counts[0] / counts[9] < 14


def test_relationships_get_many_attestations_and_some_before_they_exist() -> None:
    seen: set[str] = set()
    targets: Counter[str] = Counter()
    early = 0
    for event in events(8, 5_000, 100):
        payload = event["payload"]
        if event["event_type"] == "attestation.created":
            target = payload.get("target_uri") or payload["targetRelationship"]
            targets[target] += 1
            early += target not in seen
        seen.add(payload.get("uri", ""))
    assert targets.most_common(1)[0][1] > 50
    assert early > 5


def test_two_people_are_enough_and_one_is_not() -> None:
    assert len(list(events(9, 200, 2))) == 200
    with pytest.raises(ValueError, match="at least 2"):
        events(9, 1, 1)


def test_memory_stays_flat() -> None:
    network = events(10, 24_000, 500, Mix(duplicates=0.1))
    tracemalloc.start()
    try:
        sum(1 for _ in islice(network, 16_000))
        before = tracemalloc.get_traced_memory()[0]
        sum(1 for _ in network)
        assert tracemalloc.get_traced_memory()[0] - before < 500_000  # bytes
    finally:
        tracemalloc.stop()


def test_tids_are_those_of_the_protocol() -> None:
    assert identifiers.tid(0) == "2222222222222"
    assert model.written({"rev": identifiers.tid(1_735_689_600_123_456)}) == (0, 1_735_689_600_123_456)
