"""Redis's patterns: `*`, `?`, `[ab]`, `[^a]`, `[a-z]`, and a backslash before what is meant literally."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

BATCH = 1_000  # keys per SCAN and per UNLINK: neither holds the server up for a millisecond


def escape(text: str) -> str:
    """`text` as a part of a pattern, every character of it taken literally."""
    return re.sub(r"([*?\[\]\\^])", r"\\\1", text)


def as_regex(pattern: str) -> str:
    """The regular expression that matches in whole what `pattern` matches in Redis."""
    return "".join(_translated(pattern))


def remove(redis: Any, pattern: str) -> int:
    """Unlink every key of a redis-py client's database that fits `pattern`; how many there were.

    Walks all of the database's keys, so it is for people, not for requests.
    """
    removed = 0
    batch: list[bytes] = []
    for key in redis.scan_iter(match=pattern, count=BATCH):
        batch.append(key)
        if len(batch) == BATCH:
            removed += redis.unlink(*batch)
            batch.clear()
    return removed + (redis.unlink(*batch) if batch else 0)


def _translated(pattern: str) -> Iterator[str]:
    rest = deque(pattern)
    while rest:
        character = rest.popleft()
        if character == "*":
            yield ".*"
        elif character == "?":
            yield "."
        elif character == "[":
            yield _class(rest)
        elif character == "\\" and rest:
            yield re.escape(rest.popleft())
        else:
            yield re.escape(character)


def _class(rest: deque[str]) -> str:
    """Take a class out of `rest`, to its bracket or to the end. As Redis reads it: `-` makes a range of whatever
    stands beside it, a bracket too, and in a range the order does not matter."""
    negated = bool(rest) and rest[0] == "^"
    if negated:
        rest.popleft()
    members = []
    while rest:
        character = rest.popleft()
        if character == "\\" and rest:
            members.append(re.escape(rest.popleft()))
        elif character == "]":
            break
        elif len(rest) >= 2 and rest[0] == "-":
            rest.popleft()
            members.append("-".join(map(re.escape, sorted([character, rest.popleft()]))))
        else:
            members.append(re.escape(character))
    if not members:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{''.join(members)}]"
