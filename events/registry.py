"""Which processor applies which event type.

A processor is a function that takes a list of entries and writes their effects, inside the transaction that
also marks them done. Modules named `processors` in installed apps are imported when Django starts, in web
and worker alike, so that both know the same types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from django.utils.module_loading import autodiscover_modules

if TYPE_CHECKING:
    from events.log.entry import Entry


class Shape(Protocol):
    """What a payload should look like, for people who mend one."""

    @property
    def struct(self) -> type[msgspec.Struct]:
        """Its fields and their types."""

    @property
    def allowed(self) -> Mapping[str, str]:
        """By field, what is allowed in it."""


Apply = Callable[[list["Entry"]], None]
Decode = Callable[["Entry"], Any]


@dataclass(frozen=True, slots=True)
class Processor:
    """A registered processor: `apply` writes a list of entries, `decode` makes an entry's record of its payload."""

    apply: Apply
    decode: Decode | None = None
    shape: Shape | None = None


_processors: dict[str, Processor] = {}


def processor(*event_types: str, decode: Decode | None = None, shape: Shape | None = None) -> Callable[[Apply], Apply]:
    """Register the decorated function for `event_types`.

    The function is given entries in the order of the log. It raises `PermanentError` for an event that can
    never be applied and anything else for one that may be tried again; a batch that raises is halved until
    the guilty events stand alone. What it returns is ignored.

    `decode` is called once per entry before the batch's first statement; its result is `entry.record`. A
    `PermanentError` from it dead-letters that entry alone, at the cost of no transaction.

    `shape` says what a payload should look like; nothing but the pages for operators asks for it.

    Raises ValueError when a type already has a processor.
    """
    if not event_types:
        raise ValueError("processor() needs at least one event type")

    def register(apply: Apply) -> Apply:
        entry = Processor(apply, decode, shape)
        for event_type in event_types:
            known = _processors.get(event_type)
            if known is not None and known.apply is not apply:
                raise ValueError(f"{event_type!r} already has a processor: {known.apply.__qualname__}")
            _processors[event_type] = entry
        return apply

    return register


def processor_for(event_type: str) -> Processor | None:
    """The processor of `event_type`, or None."""
    return _processors.get(event_type)


def known_types() -> frozenset[str]:
    """Every event type that has a processor."""
    return frozenset(_processors)


def autodiscover() -> None:
    """Import each installed app's `processors`."""
    autodiscover_modules("processors")
