"""What is answered under /internal/graph, as types: the OpenAPI document's components are made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Moment = Annotated[datetime, Meta(tz=True)]


class Attestations(msgspec.Struct):
    """How many there are of each kind."""

    verify: Count
    strengthen: Count
    weaken: Count
    dispute: Count


class Conviction(msgspec.Struct):
    """How sure the network is of a relationship at `as_of`."""

    score: Annotated[int, Meta(ge=0, le=100, description="0 as long as nobody has attested anything")]
    trend: Literal["increasing", "stable", "decreasing"]
    attestations: Attestations
    as_of: Moment


class RelationshipConviction(Conviction, kw_only=True):
    """The conviction of one relationship."""

    uri: str


class Neighbour(msgspec.Struct):
    """One relationship of a DID, and who is at its other end."""

    did: str
    uri: str
    type: str
    strength: int
    context: str
    created_at: Moment | None
    conviction: Conviction


class Relationships(msgspec.Struct):
    """A page of a DID's relationships; `next` is the address of the following page, null on the last."""

    did: str
    as_of: Moment
    neighbours: list[Neighbour]
    next: str | None
