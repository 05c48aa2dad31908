"""An exception as the log keeps it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from events.exceptions import PermanentError
from events.models.attempt import MESSAGE_LENGTH, TRACE_LENGTH
from events.reasons import reason_of

ERROR_LENGTH = 20_000  # characters of a traceback that an event keeps: its end, which names the error
KIND_LENGTH = 200  # characters of an exception's type


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """What went wrong: `text` is a PermanentError's own words, else the traceback."""

    kind: str
    message: str
    text: str
    trace: str  # '' for a PermanentError: it says what is wrong with the event, not where the code was
    reason: str

    @classmethod
    def of(cls, error: BaseException) -> ErrorRecord:
        """The record of `error`."""
        kind, message = type(error).__name__[:KIND_LENGTH], _storable(_words(error))
        if isinstance(error, PermanentError):
            return cls(kind, message[:MESSAGE_LENGTH], message[-ERROR_LENGTH:], "", reason_of("", message))
        text = _storable("".join(traceback.format_exception(error)))
        return cls(kind, message[:MESSAGE_LENGTH], text[-ERROR_LENGTH:], text[-TRACE_LENGTH:], reason_of(kind, message))


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "its message can't be read"


def _storable(text: str) -> str:
    # PostgreSQL's text has no NUL, UTF-8 no lone surrogates; a message can carry both out of a payload.
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
