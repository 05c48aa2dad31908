"""Straight to the log of this project's database, whatever its capacity."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError, connection

from events import registry
from events.envelope import NewEvent, parse
from events.exceptions import EnvelopeError
from events.log.append import Appended, append_new
from events.log.errors import is_transient
from events.replay.lines import Line
from events.replay.patience import Patience
from events.replay.tally import Tally


class ToLog:
    """Appends batches of lines, by the rules that the intake has for events."""

    def __init__(self, tally: Tally, patience: Patience | None = None) -> None:
        self._tally = tally
        self._patience = patience or Patience()
        self._known = registry.known_types()

    def send(self, batch: Sequence[Line]) -> None:
        """Append the events of a batch, in one transaction. Raises ReplayError if the database stays away."""
        items = [self._read(line.body) for line in batch]
        results = iter(self._append([item for item in items if isinstance(item, NewEvent)]))
        for line, item in zip(batch, items, strict=True):
            if isinstance(item, EnvelopeError):
                self._tally.reject(line.number, str(item))
                continue
            appended = next(results)
            if appended.status == "enqueued":
                self._tally.enqueued += 1
            elif appended.status == "duplicate":
                self._tally.duplicates += 1
            else:
                self._tally.reject(line.number, str(_conflict(appended)))

    def _read(self, body: bytes) -> NewEvent | EnvelopeError:
        try:
            event = parse(body)
        except EnvelopeError as error:
            return error
        if event.event_type not in self._known:
            return EnvelopeError("event_type", f"{event.event_type!r} is unknown", ", ".join(sorted(self._known)))
        return event

    def _append(self, events: list[NewEvent]) -> list[Appended]:
        while True:
            try:
                appended = append_new(events)
            except (DatabaseError, InterfaceError) as error:
                if connection.in_atomic_block or not is_transient(error):
                    raise
                connection.close()
                # The commit may have taken place: events keep their ids, and the next try finds duplicates.
                self._patience.wait(error)
            else:
                self._patience.answered()
                return appended


def _conflict(appended: Appended) -> EnvelopeError:
    problem = f"{appended.event_id} is taken by an event with another content"
    return EnvelopeError("event_id", problem, "a new event_id", status=409)
