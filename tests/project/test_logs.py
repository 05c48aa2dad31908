"""One line an event, whatever a value holds, whoever logs it."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.log import log_response

from rhiz.logs import formatter


def _line(message: str, form: str = "line", **extra: object) -> str:
    record = logging.getLogger("some.logger").makeRecord("some.logger", logging.INFO, "f", 1, message, (), None)
    vars(record).update(extra)
    return formatter(form).format(record)


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
    assert "traceback=" in line and "ValueError: no" in line


def test_json_has_the_same_values() -> None:
    told = json.loads(_line("dead\n", form="json", reason='a "b"\n', number=3))

    assert (told["event"], told["reason"], told["number"]) == ("dead\n", 'a "b"\n', 3)
    assert (told["level"], told["logger"]) == ("info", "some.logger")


def test_what_is_bound_to_the_request_stands_in_every_line() -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        assert _line("done").endswith(" done request_id=r1")


def test_loggers_of_structlog_write_records_of_the_standard_library(caplog: pytest.LogCaptureFixture) -> None:
    structlog.stdlib.get_logger("some.logger").warning("worker died", worker="host:1", events=3)

    [record] = caplog.records
    assert formatter("line").format(record).endswith(' WARNING some.logger "worker died" worker=host:1 events=3')


@pytest.mark.parametrize(("status", "error", "lines"), [(503, None, 0), (503, ValueError("no"), 1), (404, None, 1)])
def test_a_503_that_is_meant_is_no_line(
    status: int, error: Exception | None, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    log_response("told", response=HttpResponse(status=status), request=RequestFactory().get("/"), exception=error)

    assert len([record for record in caplog.records if record.name == "django.request"]) == lines
