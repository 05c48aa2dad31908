from __future__ import annotations

from cachecore import cache
from events import Entry, processor
from rhiz.graph import keys, upsert
from rhiz.graph.models import Attestation
from rhiz.graph.payloads.attestation import SHAPE, decode


@processor("attestation.created", "attestation.updated", "attestation.deleted", decode=decode, shape=SHAPE)
def apply(entries: list[Entry]) -> None:
    """Leave each attestation at the newest version of it that was ever applied.

    The relationship's row is not touched: its owner is someone else, and its conviction is computed when read.
    """
    rows = [entry.record for entry in entries]
    before = upsert.write(Attestation, rows, returning=("target_uri",))
    cache.invalidate(keys.touched_by_attestations(rows, before))
