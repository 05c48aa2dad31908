"""Applying a batch: processors are called in rounds, so that the mixed types of one DID keep their order."""

from __future__ import annotations

from collections.abc import Iterable

from events.exceptions import PermanentError
from events.log.entry import Entry
from events.registry import Apply, processor_for

Round = dict[Apply, list[Entry]]


def decode(entry: Entry) -> None:
    """Let the processor's `decode` make the entry's record. Raises PermanentError where its type has no processor."""
    if not entry.event_type:
        raise PermanentError("the row of its event was deleted")
    processor = processor_for(entry.event_type)
    if processor is None:
        raise PermanentError(f"no processor is registered for {entry.event_type!r}")
    if processor.decode is not None:
        entry.record = processor.decode(entry)


def rounds(entries: Iterable[Entry]) -> list[Round]:
    """Split entries, in the order of the log, into rounds of processor calls.

    An entry goes in the round of its DID's previous one where that has the same processor, else in the next:
    within a DID, round after round is the order of the log.
    """
    planned: list[Round] = []
    latest: dict[str, tuple[int, Apply]] = {}
    for entry in entries:
        processor = processor_for(entry.event_type)
        assert processor is not None, "decode() refuses types without one"
        number, previous = latest.get(entry.did, (0, processor.apply))
        if previous is not processor.apply:
            number += 1
        latest[entry.did] = number, processor.apply
        while number >= len(planned):
            planned.append({})
        planned[number].setdefault(processor.apply, []).append(entry)
    return planned


def apply(entries: Iterable[Entry]) -> None:
    """Give decoded entries to their processors."""
    for calls in rounds(entries):
        for processor, batch in calls.items():
            processor(batch)
