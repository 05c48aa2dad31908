"""An entry: one event as a batch reads it from the log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from events.exceptions import PermanentError
from events.payload import PAYLOAD_ALLOWED
from events.syntax import EPOCH


class Entry(msgspec.Struct, weakref=False, eq=False):
    """What a processor is given. A model instance costs ten times as much to make, and a batch makes hundreds.

    `version` is when the record was written, in microseconds since 1970 (of its `rev`, else of `occurred_at`,
    else of `received_at`): with `id` it orders all events of one record, however late one is applied.
    """

    id: int
    key: int  # of its DID: see events.lanes
    place: str  # of its pending row: the ctid on PostgreSQL
    attempts: int  # that failed
    event_id: UUID
    event_type: str
    did: str
    priority: int
    payload_text: str
    version: int
    rev: str | None
    occurred: int | None  # microseconds since 1970, as `received`: a datetime costs more than the rest of an entry
    received: int
    record: Any = None  # what the processor's `decode` made of the payload; None where it has none

    @property
    def received_at(self) -> datetime:
        """When the log received the event."""
        return EPOCH + timedelta(microseconds=self.received)

    @property
    def occurred_at(self) -> datetime | None:
        """When the sender says it happened, if given."""
        return None if self.occurred is None else EPOCH + timedelta(microseconds=self.occurred)

    @property
    def payload(self) -> dict[str, Any]:
        """The payload as a dict, decoded anew at each access. Raises PermanentError where Python can't decode it."""
        try:
            decoded: dict[str, Any] = msgspec.json.decode(self.payload_text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise PermanentError(f"payload: {error}; allowed: {PAYLOAD_ALLOWED}") from None
        return decoded
