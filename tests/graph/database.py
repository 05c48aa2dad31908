"""The graph's tables in the shape of the reference model, and a way to fill them without a worker."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from events import Entry, PermanentError
from events.lanes import did_key
from events.registry import processor_for
from rhiz.graph.models import Attestation, Profile, Record, Relationship
from tests.graph import model

RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)
OURS = ("key", "target_key", "version", "event", "deleted")
KINDS: dict[str, type[Record]] = {"relationship": Relationship, "attestation": Attestation, "entity": Profile}


def read() -> model.Tables:
    """What the tables hold, tombstones included."""
    tables = model.Tables(rows(Relationship, "uri"), rows(Attestation, "uri"), rows(Profile, "did"))
    for kind, table in KINDS.items():
        tables.tombstones |= {(kind, row.uri) for row in table.with_tombstones.filter(deleted=True)}
    return tables


def rows(table: type[Record], identifier: str) -> dict[str, model.Row]:
    """The content of the records that exist, by `identifier`."""
    names = [field.name for field in table._meta.concrete_fields if field.name not in OURS]
    return {row[identifier]: row for row in table.objects.values(*names)}


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every column of every row, versions and tombstones' contents too."""
    return {kind: list(table.with_tombstones.order_by("key").values()) for kind, table in KINDS.items()}


def empty() -> None:
    """Forget all records."""
    for table in KINDS.values():
        table.with_tombstones.all().delete()


def entry(event: model.Event, number: int = 1) -> Entry:
    """`event` as a worker would read it, if it were number `number` in the log."""
    undated, version = model.written(event)
    return Entry(
        id=number,
        key=did_key(event["did"]),
        place="",
        attempts=0,
        event_id=UUID(event["event_id"]),
        event_type=event["event_type"],
        did=event["did"],
        priority=event.get("priority", 1),
        payload_text=json.dumps(event["payload"]),
        version=int(RECEIVED.timestamp() * 1_000_000) if undated else version,
        rev=event.get("rev"),
        occurred=None,
        received=int(RECEIVED.timestamp() * 1_000_000),
    )


def entries(events: Iterable[model.Event]) -> list[Entry]:
    """`events` as the log holds them: numbered, each event_id once."""
    unique: dict[str, model.Event] = {}
    for event in events:
        unique.setdefault(event["event_id"], event)
    return [entry(event, number) for number, event in enumerate(unique.values(), start=1)]


def run(batch: Iterable[Entry]) -> set[str]:
    """Apply entries in one transaction, as a worker's batch does; the event_ids of those that are refused."""
    refused = set()
    calls: dict[Callable[[list[Entry]], None], list[Entry]] = defaultdict(list)
    for each in batch:
        processor = processor_for(each.event_type)
        assert processor is not None and processor.decode is not None
        try:
            each.record = processor.decode(each)
        except PermanentError:
            refused.add(str(each.event_id))
        else:
            calls[processor.apply].append(each)
    with transaction.atomic():
        for apply, its_entries in calls.items():
            apply(its_entries)
    return refused
