"""Events that may have crashed a worker: each runs alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from events.log.database import array, run


def suspects() -> list[tuple[int, int]]:
    """(id, lane) of suspects that may run now."""
    return cast(list[tuple[int, int]], run("suspects"))


def mark_suspects(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Mark pending events as suspects; (id, attempts) of those that were not marked before."""
    return cast(list[tuple[int, int]], run("mark_suspects", ids=array(ids)))


def count_crashes(ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Count a crash of each pending event, which ran alone; (id, attempts, crashes)."""
    return cast(list[tuple[int, int, int]], run("count_crashes", ids=array(ids)))
