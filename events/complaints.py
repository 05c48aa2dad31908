"""What is wrong with a payload, field by field: as its processor would say it, and all at once."""

from __future__ import annotations

from typing import Any

import msgspec

from events import wellformed
from events.exceptions import PermanentError
from events.log.entry import Entry
from events.models import Event
from events.payload import encode
from events.reasons import refusal_in
from events.registry import Shape, processor_for
from events.syntax import microseconds
from events.visible import pretty, visible

FIELDS = 200  # of a payload that are shown one by one


class Complaint(msgspec.Struct, frozen=True):
    """One thing that is wrong with a payload. `field` is '' where it is about the whole."""

    field: str
    problem: str
    allowed: str = ""


class Line(msgspec.Struct, frozen=True):
    """A field of a payload as a page shows it: its JSON, or None where it is missing, and what is wrong with it."""

    field: str
    text: str | None
    complaint: Complaint | None = None


def complaints(event: Event, payload: dict[str, Any] | str) -> list[Complaint]:
    """What is wrong with `payload` as one of `event`: each field that its type refuses, else what its processor says.

    `payload` is a JSON text where Python can't decode it; then that is what is wrong.

    Nothing where it would be taken, or where the processor has no `decode` to ask.
    """
    processor = processor_for(event.event_type)
    if processor is None:
        return [Complaint("", f"no processor is registered for {event.event_type!r}")]
    if isinstance(payload, str):
        return [Complaint("", _flaw_of(payload))]
    if processor.shape is not None and (found := _by_field(processor.shape, payload)):
        return found
    if processor.decode is None:
        return []
    try:
        processor.decode(_entry(event, payload))
    except PermanentError as error:
        return [Complaint(*(refusal_in(str(error)) or ("", str(error))))]
    except Exception as error:
        return [Complaint("", f"{type(error).__name__}: {error}")]
    return []


def lines(payload: dict[str, Any], found: list[Complaint]) -> list[Line]:
    """A payload field by field, what is wrong beside each; fields that are missed come last.

    Of very many fields the first are shown, and those that are wrong; the others together.
    """
    by_field = {complaint.field: complaint for complaint in found}
    rest = {name: payload[name] for number, name in enumerate(payload) if number >= FIELDS and name not in by_field}
    alone = [(name, value) for name, value in payload.items() if name not in rest]
    shown = [Line(visible(name), pretty(value), by_field.pop(name, None)) for name, value in alone]
    missed = [Line(name, None, complaint) for name, complaint in by_field.items() if name]
    together = [Line(f"{len(rest):,} more fields", pretty(rest))] if rest else []
    return shown + missed + together


def _flaw_of(payload: str) -> str:
    try:
        return wellformed.flaw_of(payload) or "it can't be decoded"
    except wellformed.NotJsonError as error:
        return f"not JSON: {error}"


def _by_field(shape: Shape, payload: dict[str, Any]) -> list[Complaint]:
    found = []
    for field in msgspec.structs.fields(shape.struct):
        name = field.encode_name
        if name not in payload:
            continue
        try:
            msgspec.convert(payload[name], field.type)
        except msgspec.ValidationError as error:
            found.append(Complaint(name, str(error), shape.allowed.get(name, "")))
    return found


def _entry(event: Event, payload: dict[str, Any]) -> Entry:
    return Entry(
        id=event.pk,
        key=event.key,
        place="",
        attempts=0,
        event_id=event.event_id,
        event_type=event.event_type,
        did=event.did,
        priority=event.priority,
        payload_text=encode(payload).decode(),
        version=event.version,
        rev=event.rev,
        occurred=microseconds(event.occurred_at) if event.occurred_at else None,
        received=microseconds(event.received_at),
    )
