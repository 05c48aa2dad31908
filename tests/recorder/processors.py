"""Processors for tests: they record what they were given, and do as the payload's `do` says."""

from __future__ import annotations

import os
import signal
import sys
import time

import psycopg
from django.db import connection

from events import Entry, PermanentError, processor
from tests.recorder.models import Seen


@processor("test.record", "test.record.too")
def record(entries: list[Entry]) -> None:
    _record(entries)


@processor("test.other")
def other(entries: list[Entry]) -> None:
    _record(entries)


def _record(entries: list[Entry]) -> None:
    Seen.objects.bulk_create(
        Seen(event_id=e.event_id, did=e.did, number=e.payload.get("n"), pid=os.getpid(), batch=len(entries)) for e in entries
    )
    for entry in entries:
        _do(entry)


def _do(entry: Entry) -> None:
    payload = entry.payload
    match payload.get("do"):
        case "fail":
            raise ValueError(f"told to fail: {payload.get('n')}")
        case "fail-at-first" if entry.attempts == 0:
            raise ValueError("told to fail at first")
        case "refuse":
            raise PermanentError("told to refuse")
        case "exit":
            sys.exit(3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "loop":
            while True:
                time.sleep(0.01)
        case "sleep":
            time.sleep(payload["seconds"])
        case "sleep-in-database":
            with connection.cursor() as cursor:
                cursor.execute("select pg_sleep(%s)", [payload["seconds"]])
        case "break-the-transaction":
            try:
                with connection.cursor() as cursor:
                    cursor.execute("select no_such_column from no_such_table")
            except Exception:
                return
        case "deadlock":
            raise psycopg.errors.DeadlockDetected("deadlock detected")
