"""Parse JSON that the compiled decoder refused: slower, at any depth, with a stack of its own.

It distinguishes what is not JSON from JSON that can't be decoded (lone surrogates, numbers beyond a double, nesting
beyond DEPTH_LIMIT). Pure; positions are in characters.
"""

from __future__ import annotations

import json
import re
from math import inf
from typing import NamedTuple

DEPTH_LIMIT = 100  # containers within each other
DIGITS_LIMIT = 4300  # of an integer: what Python and msgspec convert

_WHITESPACE = r"[ \t\n\r]*+"
_token = re.compile(
    _WHITESPACE + r"(?:"
    r'(?P<string>"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
    r"|(?P<word>true|false|null)"
    r"|(?P<mark>[\[\]{},:]))"
).match
_to_the_end = re.compile(_WHITESPACE).fullmatch
_CLOSER = {"[": "]", "{": "}"}


class NotJsonError(ValueError):
    """The text is not JSON (RFC 8259)."""

    def __init__(self, text: str, at: int) -> None:
        rest = text[at:].lstrip(" \t\n\r")
        super().__init__(f"malformed at character {len(text) - len(rest)}" if rest else "it ends too early")


class Value(NamedTuple):
    """Where a JSON value stands in its text, and the first reason why Python can't decode it ("" if it can)."""

    start: int
    end: int
    flaw: str


def flaw_of(text: str) -> str:
    """Why Python can't decode the JSON value `text`; "" if it can. Raises NotJsonError."""
    value = _read(text, 0)
    _expect_end(text, value.end)
    return value.flaw


def members(text: str) -> dict[str, Value] | None:
    """The members of the JSON object `text`, the last of each name; None if it is another value.

    Raises NotJsonError.
    """
    found = _inner(text, "{")
    return None if found is None else dict(found)


def elements(text: str, limit: int) -> list[Value] | None:
    """The first `limit` elements of the JSON array `text`; None if it is another value. Raises NotJsonError."""
    found = _inner(text, "[", limit)
    return None if found is None else [value for _, value in found]


def _inner(text: str, opener: str, limit: float = inf) -> list[tuple[str, Value]] | None:
    """The first `limit` values in the container that `text` is, with their names in an object."""
    if not text.lstrip(" \t\n\r").startswith(opener):
        flaw_of(text)
        return None
    found: list[tuple[str, Value]] = []
    at = _mark(text, 0, opener)
    after = _optional(text, at, _CLOSER[opener])
    while after is None:
        name = ""
        if opener == "{":
            key = _read(text, at)
            if text[key.start] != '"':
                raise NotJsonError(text, key.start)
            name, at = json.loads(text[key.start : key.end]), _mark(text, key.end, ":")
        value = _read(text, at)
        found.append((name, value))
        if len(found) == limit:
            return found
        after = _optional(text, value.end, _CLOSER[opener])
        at = value.end if after else _mark(text, value.end, ",")
    _expect_end(text, after)
    return found


def _read(text: str, at: int) -> Value:
    """The value that begins at `at`, after white space."""
    start = -1
    flaw = ""
    closers: list[str] = []
    expected = "value"  # or "name", "colon", "more"; "first" and "first name" may also be the end of the container
    while True:
        match = _token(text, at)
        if match is None:
            raise NotJsonError(text, at)
        kind, token = match.lastgroup, match[match.lastgroup or 0]
        if start < 0:
            start = match.start(kind or 0)
        if kind != "mark":
            if expected in ("value", "first") or (kind == "string" and expected in ("name", "first name")):
                flaw = flaw or _flaw(kind, token)
                expected = "colon" if expected in ("name", "first name") else "more"
            else:
                raise NotJsonError(text, match.start(kind or 0))
        elif token in _CLOSER and expected in ("value", "first"):
            closers.append(_CLOSER[token])
            expected = "first" if token == "[" else "first name"
            if len(closers) > DEPTH_LIMIT:
                flaw = flaw or f"it is nested deeper than {DEPTH_LIMIT} levels"
        elif closers and token == closers[-1] and expected in ("more", "first", "first name"):
            closers.pop()
            expected = "more"
        elif closers and token == "," and expected == "more":
            expected = "value" if closers[-1] == "]" else "name"
        elif token == ":" and expected == "colon":
            expected = "value"
        else:
            raise NotJsonError(text, match.start(kind))
        at = match.end()
        if not closers and expected == "more":
            return Value(start, at, flaw)


def _flaw(kind: str | None, token: str) -> str:
    if kind == "string" and "\\u" in token:
        characters = json.loads(token)
        if any("\ud800" <= character <= "\udfff" for character in characters):
            return "it has a lone surrogate"
    elif kind == "number":
        if token.lstrip("-").isdecimal():
            if len(token) > DIGITS_LIMIT:
                return f"it has an integer of more than {DIGITS_LIMIT} digits"
        elif float(token) in (float("inf"), float("-inf")):
            return f"it has a number beyond a double: {token[:40]}"
    return ""


def _mark(text: str, at: int, mark: str) -> int:
    """The position after `mark`, which must be next."""
    after = _optional(text, at, mark)
    if after is None:
        raise NotJsonError(text, at)
    return after


def _optional(text: str, at: int, mark: str) -> int | None:
    """The position after `mark` if it is next."""
    match = _token(text, at)
    return match.end() if match and match["mark"] == mark else None


def _expect_end(text: str, at: int) -> None:
    if _to_the_end(text, at) is None:
        raise NotJsonError(text, at)
