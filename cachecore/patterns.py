"""Redis's patterns: `*`, `?`, `[ab]`, `[^a]`, `[a-z]`, and a backslash before what is meant literally."""

from __future__ import annotations

import re
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
    rest = iter(range(len(pattern)))
    for at in rest:
        character = pattern[at]
        if character == "*":
            yield ".*"
        elif character == "?":
            yield "."
        elif character == "\\" and at + 1 < len(pattern):
            yield re.escape(pattern[next(rest)])
        elif character == "[" and (end := _end_of_class(pattern, at)):
            yield _class(pattern[at + 1 : end])
            for _ in range(end - at):
                next(rest)
        else:
            yield re.escape(character)


def _end_of_class(pattern: str, start: int) -> int | None:
    at = start + 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at if at < len(pattern) else None


def _class(inside: str) -> str:
    negated = inside.startswith("^")
    members = inside[negated:]
    if not members:
        # Redis: nothing is one of none, everything is none of none.
        return "." if negated else "(?!)"
    kept = re.sub(
        r"\\?(.)", lambda found: found[1] if found[0] == "-" else re.escape(found[1]), members, flags=re.DOTALL
    )
    return f"[{'^' if negated else ''}{kept}]"
