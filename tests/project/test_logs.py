"""One line an event, whatever a value holds."""

from __future__ import annotations

import logging

from rhiz.logs import LineFormatter


def _line(message: str, **extra: object) -> str:
    record = logging.getLogger("some.logger").makeRecord("some.logger", logging.INFO, "f", 1, message, (), None)
    vars(record).update(extra)
    return LineFormatter().format(record)


def test_a_line_has_time_level_logger_message_and_values() -> None:
    time, rest = _line("batch done", lane=3, event_id="e1").split(" ", 1)

    assert time.endswith("Z")
    assert rest == 'INFO some.logger "batch done" lane=3 event_id=e1'


def test_no_value_can_forge_a_line() -> None:
    line = _line("dead", reason='bad\n2026-01-01 ERROR "x" a=b')

    assert "\n" not in line
    assert line.endswith(r'reason="bad\n2026-01-01 ERROR \"x\" a=b"')


def test_a_traceback_is_one_value() -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        line = _line("failed", exc_info=(ValueError, error, error.__traceback__))

    assert "\n" not in line
    assert "traceback=" in line
