"""Which cached answers an event ends: those about what it says, and those about what was there before it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from cachecore import cache, gathering
from cachecore.models import Invalidation
from tests.graph import database, model

pytestmark = pytest.mark.django_db(transaction=True)

A, B, C, D = (f"did:plc:{name}" for name in ("alice", "bob", "carol", "dave"))
KNOWS = f"at://{A}/net.rhiz.relationship.record/3jzfcijpj2z2a"
OTHER = f"at://{A}/net.rhiz.relationship.record/3jzfcijpj2z2b"
WORD = f"at://{D}/net.rhiz.relationship.attestation/3jzfcijpj2z2c"
EVERYTHING = {A, B, C, D, KNOWS, OTHER, WORD}


def event(event_type: str, did: str, day: int, /, **payload: Any) -> model.Event:
    moment = f"2025-01-{day:02}T00:00:00Z"
    if not event_type.endswith((".deleted", ".invalidated")):
        payload = {"cid": "bafyreiabc", "created_at": moment} | payload
    return {
        "event_id": f"00000000-0000-4000-8000-{day:012}",
        "event_type": event_type,
        "did": did,
        "occurred_at": moment,
        "payload": payload,
    }


def knows(day: int, other: str = B, change: str = "updated") -> model.Event:
    record = {} if change == "deleted" else {"participants": [A, other], "type": "family", "strength": day}
    return event(f"relationship.{change}", A, day, uri=KNOWS, **record)


def word(day: int, target: str = KNOWS, change: str = "updated") -> model.Event:
    record = (
        {}
        if change == "deleted"
        else {"attester_did": D, "target_uri": target, "attestation_type": "verify", "confidence": 90}
    )
    return event(f"attestation.{change}", D, day, uri=WORD, **record)


def ended_by(*events: model.Event) -> set[str]:
    """The tags under which nothing that was cached before is told after these events, applied as one batch."""
    for tag in EVERYTHING:
        cache.get_or_set(f"about:{tag}", lambda: "before", tags=[tag])
    database.run([database.entry(each, int(each["occurred_at"][8:10])) for each in events])
    return {tag for tag in EVERYTHING if cache.get_or_set(f"about:{tag}", lambda: "after", tags=[tag]) == "after"}


@pytest.mark.parametrize(
    ("history", "events", "ended"),
    [
        pytest.param([], [knows(1)], {A, B, KNOWS}, id="a new relationship: both participants and the record"),
        pytest.param([knows(1)], [knows(2)], {A, B, KNOWS}, id="a changed one: the same"),
        pytest.param([knows(1)], [knows(2, C)], {A, B, C, KNOWS}, id="another participant: the one before too"),
        pytest.param([knows(1)], [knows(2, change="deleted")], {A, B, KNOWS}, id="a deletion: those it forgets"),
        pytest.param(
            [knows(1)],
            [knows(2, change="deleted"), knows(3, C)],
            {A, B, C, KNOWS},
            id="deleted and made anew in a batch",
        ),
        pytest.param([knows(1)], [knows(2, C), knows(3, D)], {A, B, C, D, KNOWS}, id="changed twice in a batch"),
        pytest.param([], [word(1)], {KNOWS}, id="a new attestation: its target"),
        pytest.param([word(1)], [word(2, OTHER)], {KNOWS, OTHER}, id="another target: the one before too"),
        pytest.param([word(1)], [word(2, change="deleted")], {KNOWS}, id="a deleted attestation: what it was about"),
        pytest.param([], [event("entity.profile.updated", C, 1, display_name="C")], {C}, id="a profile: its owner"),
        pytest.param([], [event("trust.invalidated", A, 1, did=B)], {B}, id="trust: the DID of which it is said"),
        pytest.param([], [event("trust.invalidated", A, 1)], {A}, id="trust: the event's own DID else"),
    ],
)
def test_what_an_event_ends(history: list[model.Event], events: list[model.Event], ended: set[str]) -> None:
    database.run([database.entry(each, int(each["occurred_at"][8:10])) for each in history])
    assert ended_by(*events) == ended


def test_a_batch_leaves_one_row_in_the_journal() -> None:
    before = Invalidation.objects.count()
    with transaction.atomic(), gathering():
        database.run([database.entry(each) for each in (knows(1), word(2), event("trust.invalidated", C, 3))])
    assert Invalidation.objects.count() == before + 1


def test_a_batch_that_is_rolled_back_ends_nothing() -> None:
    cache.get_or_set("about:it", lambda: "before", tags=[KNOWS])
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        database.run([database.entry(knows(1))])
        raise ZeroDivisionError
    assert cache.get_or_set("about:it", lambda: "after", tags=[KNOWS]) == "before"
