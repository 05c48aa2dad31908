"""The worker's lines about single events: what failed, what is dead, and, with LOG_LEVEL=DEBUG, what is done.

Each leads back to the request that brought the event. The log is asked for it only where a line is written, so that
events of which there is nothing to say cost nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import Error as DatabaseFailure

from events.log.entry import Entry
from events.models import Event
from events.traceparent import trace_id
from events.worker.bisection import Failure, Outcome

logger = structlog.stdlib.get_logger(__name__)

MOST = 10  # failed attempts of a batch with a line of their own; the others are counted in one
ERROR_LENGTH = 300  # characters of an error in a line; the log's table keeps more


def tell(outcome: Outcome) -> None:
    """Write the lines of a batch that is committed."""
    failed = outcome.failed[:MOST]
    done = outcome.done if outcome.done and logger.isEnabledFor(logging.DEBUG) else []
    if not (failed or done):
        return
    requests = _requests([failure.entry for failure in failed] + done)
    for failure in failed:
        _tell_failure(failure, requests)
    if len(outcome.failed) > MOST:
        logger.warning("more attempts failed", events=len(outcome.failed) - MOST)
    for entry in done:
        logger.debug("event done", **_named(entry, requests))


def _tell_failure(failure: Failure, requests: dict[int, dict[str, str]]) -> None:
    told = {**_named(failure.entry, requests), "error": failure.error.text.strip().rpartition("\n")[2][:ERROR_LENGTH]}
    if failure.wait is None:
        logger.error("event dead", **told)
    else:
        logger.warning("attempt failed", **told, retry_in_seconds=round(failure.wait, 1))


def _named(entry: Entry, requests: dict[int, dict[str, str]]) -> dict[str, Any]:
    named = {"event_id": str(entry.event_id), "event_type": entry.event_type, "did": entry.did}
    return {**named, "attempt": entry.attempts + 1, **requests.get(entry.id, {})}


def _requests(entries: Sequence[Entry]) -> dict[int, dict[str, str]]:
    """By id of the log, the names of the request that brought each event, where one did."""
    events = Event.objects.filter(pk__in=[entry.id for entry in entries], request_id__isnull=False)
    try:
        found = events.values_list("pk", "request_id", "traceparent")
        return {pk: _names(str(request_id), traceparent) for pk, request_id, traceparent in found}
    except DatabaseFailure:
        return {}  # the lines go without it: what was committed is told in any case


def _names(request_id: str, traceparent: str | None) -> dict[str, str]:
    return {"request_id": request_id} | ({"trace_id": trace_id(traceparent)} if traceparent else {})
