"""What a batch holds on SQLite, chosen by a loop of short statements: what `lock` and `fetch` do on PostgreSQL.

A batch runs under BEGIN IMMEDIATE, which locks every lane at once; lanes are still read one by one, so that a deep log
is read along its index. A statement costs microseconds here, and there are no low watermarks: SQLite keeps no index
entry of a deleted row.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Collection, Iterable

from events.log.database import array, run

URGENT_FIRST = (3, 2, 1, 0)

Candidate = tuple[int, int, int]  # id, key, priority


def lanes(share: int, *, by_age: bool, avoid: Collection[int]) -> list[int]:
    """Up to `share` lanes that have work, the most urgent first (or that with the oldest)."""
    return [lane for (lane,) in run("lanes", share=share, by_age=by_age, avoid=array(avoid), due=_any_due())]


def chosen(of_lanes: Iterable[int], limit: int, *, by_age: bool) -> str:
    """(key, id) of the next batch as JSON, in the order by which it is cut; of each key a prefix.

    Each candidate brings the rows of its key since the one before it, as in fetch.postgresql.sql.
    """
    found = _candidates(of_lanes, limit, by_age)
    last: dict[int, int] = {}
    pullers: list[tuple[int, int, int]] = []  # key, after, up to
    for id_, key, _ in heapq.nsmallest(limit, found, key=_old_first if by_age else _urgent_first):
        after = last.get(key, 0)
        if id_ > after:
            pullers.append((key, after, id_))
            last[key] = id_
    return json.dumps(run("prefixes", pullers=json.dumps(pullers), limit=limit))


def _candidates(of_lanes: Iterable[int], limit: int, by_age: bool) -> list[Candidate]:
    """The first ready rows of each lane, and those that are due."""
    due = _any_due()
    found: list[Candidate] = []
    for lane in of_lanes:
        for priority in URGENT_FIRST if due or by_age else ():
            where = {"lane": lane, "limit": limit, "priority": priority}
            found += run("due_of_lane", **where) if due else []
            found += run("oldest_of_lane", **where) if by_age else []
        found += [] if by_age else run("ready_of_lane", lane=lane, limit=limit)
    return found


def _any_due() -> bool:
    return bool(run("any_due")[0][0])


def _urgent_first(candidate: Candidate) -> tuple[int, int]:
    return -candidate[2], candidate[0]


def _old_first(candidate: Candidate) -> tuple[int, int]:
    return candidate[0], 0
