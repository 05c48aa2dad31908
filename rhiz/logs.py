"""Logs: one line an event of interest, of structlog's loggers and the standard ones alike.

Written for people and programs (`line`), or as JSON (`json`); in neither can a value break or forge a line.
"""

from __future__ import annotations

import json
import logging.config
from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter

# Objects that Django attaches to its own records, and what other handlers leave on one.
_UNPRINTED = frozenset({"request", "server_time", "color_message", "message", "asctime"})

Values = MutableMapping[str, Any]


def configure(config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: the standard library's configuration, and structlog's on top of it."""
    logging.config.dictConfig(config)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # tests and LOG_LEVEL change levels of loggers that exist
    )


class NoRefusals(logging.Filter):
    """Drops Django's line about each 503 that was meant (backpressure, a probe): metrics count them, in one figure."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info) or getattr(record, "status_code", None) != HTTPStatus.SERVICE_UNAVAILABLE


def formatter(form: str) -> ProcessorFormatter:
    """The formatter of `LOG_FORMAT`."""
    return ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            ExtraAdder(),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
        ],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            _printable,
            structlog.processors.JSONRenderer(default=str) if form == "json" else line,
        ],
    )


def line(logger: object, method: str, values: Mapping[str, Any]) -> str:
    """`2026-01-01T00:00:00.000000Z INFO events.worker "batch done" lane=3 events=300`, tracebacks as one value."""
    rest = dict(values)
    parts = [str(rest.pop("time")), str(rest.pop("level")).upper(), str(rest.pop("logger"))]
    parts.append(quoted(str(rest.pop("event"))))
    return " ".join(parts + [f"{name}={quoted(str(value))}" for name, value in rest.items()])


def quoted(text: str) -> str:
    """`text` as it is if it is one plain word, else as a JSON string: no value can break or forge a line."""
    plain = text.isascii() and text.isprintable() and text != "" and not set(text) & set(' "=\\')
    return text if plain else json.dumps(text)


def _printable(logger: object, method: str, values: Values) -> Values:
    if "exception" in values:
        values["traceback"] = values.pop("exception")
    return {name: value for name, value in values.items() if name not in _UNPRINTED}
