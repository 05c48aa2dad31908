"""Whatever JSON a stranger publishes: a worker applies or dead-letters it with the reason, and the API can show it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from events import PermanentError
from events.envelope import parse
from events.log.append import append_new
from events.models import DeadLetter, Event, Pending
from events.registry import known_types, processor_for
from events.worker.batch import Result
from tests.events.hostile import STRANGE, VALUES, event
from tests.graph import database
from tests.graph.test_payloads import ALICE, PAYLOADS

TYPES = sorted(name for name in known_types() if not name.startswith("test."))
FITTING = {event_type: PAYLOADS.get(f"{event_type.partition('.')[0]}.created", {}) for event_type in TYPES}
FITTING["entity.profile.updated"] = PAYLOADS["entity.profile.updated"]
AT_THE_STACKS_END = " levels"  # in the names of those of VALUES that are many and alike


def in_each_field(event_type: str, values: dict[str, str]) -> Iterator[str]:
    """Payloads that fit their type but for one field."""
    processor = processor_for(event_type)
    assert processor is not None and processor.shape is not None
    for field in processor.shape.allowed:
        others = json.dumps({name: value for name, value in FITTING[event_type].items() if name != field} | {"_": 0})
        yield from (f'{others[:-1]},"{field}":{value}}}' for value in values.values())


@pytest.mark.once
@pytest.mark.parametrize("event_type", TYPES)
def test_a_processor_makes_a_row_of_it_or_refuses_it_for_good(event_type: str) -> None:
    processor = processor_for(event_type)
    assert processor is not None and processor.decode is not None
    rows: list[Any] = []
    refusals: list[str] = []
    for payload in (*STRANGE.values(), *in_each_field(event_type, VALUES)):
        entry = database.entry({"event_id": f"{1:032x}", "event_type": event_type, "did": ALICE, "payload": {}}, 5)
        entry.payload_text = payload
        try:
            rows.append(processor.decode(entry))
        except PermanentError as error:
            refusals.append(str(error))
    assert rows and refusals
    assert all("; allowed: " in refusal and len(refusal) < 1_000 for refusal in refusals)


@pytest.mark.parametrize("event_type", TYPES)
def test_a_worker_leaves_none_pending_and_the_api_shows_each(
    event_type: str, take: Callable[..., Result], api: APIClient
) -> None:
    values = {name: value for name, value in VALUES.items() if AT_THE_STACKS_END not in name}
    payloads = [*STRANGE.values(), *in_each_field(event_type, values)]
    bodies = [event(payload, event_type=event_type, did=ALICE) for payload in payloads]
    assert {a.status for a in append_new([parse(body) for body in bodies if len(body) < 65_536])} == {"enqueued"}
    while Pending.objects.exists():
        assert take().applied
    letters = {str(letter.event.event_id): letter for letter in DeadLetter.objects.select_related("event")}
    assert all(letter.reason and letter.error and letter.attempts == 1 for letter in letters.values())
    assert Event.objects.with_state().filter(state=Event.State.DONE).count() == Event.objects.count() - len(letters)
    for event_id in Event.objects.order_by("id").values_list("event_id", flat=True)[: len(STRANGE)]:
        told = api.get(f"/internal/events/{event_id}")
        assert (told.status_code, told.json()["state"]) == (200, "dead" if str(event_id) in letters else "done")
    assert {letter["event_id"] for letter in pages(api)} == letters.keys()


def pages(api: APIClient) -> Iterator[dict[str, Any]]:
    address = "/internal/events/dead-letter?limit=500"
    while address:
        response = api.get(address)
        assert response.status_code == 200
        content = json.loads(response.content, parse_constant=pytest.fail)
        yield from content["results"]
        address = content["next"]
