"""Decoding a payload into a struct, with errors that name the field, what was wrong and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from events import PermanentError

T = TypeVar("T", bound=msgspec.Struct)

SHOWN_LENGTH = 100  # characters of a refused value
_path = re.compile(r" - at `\$\.([A-Za-z_]+)")


def refusal(field: str, value: object, allowed: str) -> PermanentError:
    """The error that says that `field` can't be `value` (None: it is missing)."""
    shown = "missing" if value is None else _spelled(value)
    if len(shown) > SHOWN_LENGTH:
        shown = f"{shown[:SHOWN_LENGTH]}..."
    return PermanentError(f"{field}: {shown}; allowed: {allowed}")


def _spelled(value: object) -> str:
    try:
        return ascii(value)
    except RecursionError:  # the decoder was a few frames higher
        return "nested too deeply"


class Shape(Generic[T]):
    """A struct as payloads spell it, and what is allowed in each of its fields."""

    def __init__(self, struct: type[T], allowed: Mapping[str, str]) -> None:
        self.struct = struct
        self.allowed = allowed
        self._decoder = msgspec.json.Decoder(struct)

    def decode(self, text: str) -> T:
        """The struct that JSON `text` holds; its fields' types and bounds are checked, not their syntax.

        Raises PermanentError.
        """
        try:
            return self._decoder.decode(text)
        except msgspec.ValidationError as error:
            raise self._explain(text, str(error)) from None
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise refusal("payload", str(error), "a JSON object that the database can hold") from None

    def _explain(self, text: str, message: str) -> PermanentError:
        """The decoder's complaint again, with the value that it met. Slow, and only for what is refused."""
        path = _path.search(message)
        try:
            payload: Any = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            payload = None
        if path is None or not isinstance(payload, dict):
            return refusal("payload", message, "a JSON object")
        field = path[1]
        return refusal(field, payload.get(field), self.allowed.get(field, message))
