"""Deletions: they carry the URI, and leave a row that holds nothing else of the record."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct

from events import Entry, syntax
from rhiz.graph.payloads import identity
from rhiz.graph.payloads.shape import Shape
from rhiz.graph.record_key import key_hex
from rhiz.graph.rows import Row

RowType = TypeVar("RowType", bound=Row)


class DeletionPayload(Struct, frozen=True, gc=False):
    uri: str | None = None


_shape = Shape(DeletionPayload, {"uri": syntax.URI_ALLOWED})


def tombstone(entry: Entry, row: type[RowType]) -> RowType:
    """The row of a deleted record. Raises PermanentError.

    It is blank so that it is the same whether the record was seen before its deletion or not.
    """
    uri = identity.own_uri(entry, _shape.decode(entry.payload_text).uri)
    return row(key=key_hex(uri), uri=uri, did=entry.did, version=entry.version, event=entry.id, deleted=True)
