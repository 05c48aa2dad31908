"""A process that asks for the neighbours of DIDs by a Zipf law while a worker applies events.

    python -m tests.integration.reader directory

`directory` holds `dids` (one a line, the most active first), `fence` (see `Fence`) and the environment's database.
Each answer is one line of JSON: the DID, the number of steps that had returned before and after, the page's digest
and the score of each relationship on it; at the end of a phase, the hits and misses in it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
import os
import random
import struct
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AS_OF = datetime(2027, 1, 1, tzinfo=UTC)
LIMIT = 200
NAMESPACES = ("neighbours", "conviction")
EVENTS_ON, EVENTS_OFF, END = range(3)


class Fence:
    """Two numbers that processes share: how many steps have returned, and the phase."""

    _shape = struct.Struct("=QQ")

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(self._shape.size))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), self._shape.size)

    def read(self) -> tuple[int, int]:
        steps, phase = self._shape.unpack_from(self._shared)
        return steps, phase

    def write(self, steps: int, phase: int) -> None:
        self._shape.pack_into(self._shared, 0, steps, phase)


def digest(page: Iterable[tuple[str, str, int]]) -> str:
    """A page in few characters: each neighbour's relationship, DID and strength, in order."""
    return hashlib.blake2b(json.dumps(list(page)).encode(), digest_size=12).hexdigest()


def main() -> None:
    import django

    django.setup()
    from django.conf import settings

    from cachecore import cache
    from rhiz.graph import neighbours

    directory = Path(sys.argv[1])
    settings.CACHES["default"]["KEY_PREFIX"] = os.environ["READER_PREFIX"]
    dids = (directory / "dids").read_text().split()
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(dids) + 1)))
    choose = random.Random(int(os.environ["READER_SEED"])).choices
    fence = Fence(directory / "fence")
    counts = cache.backend.location.counts
    before, phase = counts.totals(), EVENTS_ON
    while phase != END:
        for did in choose(dids, cum_weights=weights, k=50):
            began, now = fence.read()
            if now != phase:
                after = counts.totals()
                say(phase=phase, **{kind: _grown(before, after, kind) for kind in ("hits", "misses")})
                before, phase = after, now
            found = neighbours.page(did, after="", limit=LIMIT, as_of=AS_OF)
            ended, _ = fence.read()
            page = digest((n["uri"], n["did"], n["strength"]) for n in found.neighbours)
            scores = {n["uri"]: n["conviction"]["score"] for n in found.neighbours}
            say(did=did, began=began, ended=ended, page=page, scores=scores)


def say(**told: Any) -> None:
    print(json.dumps(told))


def _grown(before: dict[tuple[str, str], int], after: dict[tuple[str, str], int], kind: str) -> dict[str, int]:
    return {name: after.get((name, kind), 0) - before.get((name, kind), 0) for name in NAMESPACES}


if __name__ == "__main__":
    main()
