"""Logs: one line an event of interest, `key=value` after the message, so that people and programs read it alike."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

# What every record has; the rest came through `extra=` and is printed.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Objects that Django attaches to its own records.
_UNPRINTED = frozenset({"request", "server_time", "color_message"})


class LineFormatter(logging.Formatter):
    """`2026-01-01T00:00:00.000Z INFO events.worker "batch done" lane=3 events=300`, tracebacks as one value."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parts = [moment, record.levelname, record.name, quoted(record.getMessage())]
        extra = (name for name in vars(record) if name not in _STANDARD and name not in _UNPRINTED)
        parts += [f"{name}={quoted(str(getattr(record, name)))}" for name in extra]
        if record.exc_info:
            parts.append(f"traceback={quoted(self.formatException(record.exc_info))}")
        return " ".join(parts)


def quoted(text: str) -> str:
    """`text` as it is if it is one plain word, else as a JSON string: no value can break or forge a line."""
    plain = text.isascii() and text.isprintable() and text != "" and not set(text) & set(' "=\\')
    return text if plain else json.dumps(text)
