"""Which lane a DID's events are in. A lane is what a partition is elsewhere: the unit of order and of ownership."""

from __future__ import annotations

import zlib

from events.conf import conf


def lane_of(did: str) -> int:
    """The lane of a DID: `crc32(did) % EVENT_LANES`."""
    return zlib.crc32(did.encode()) % conf.lanes
