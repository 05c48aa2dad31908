"""Processors for tests: they record what they were given, and do as the payload's `do` says."""

from __future__ import annotations

import os
import signal
import sys
import time

import psycopg
from django.db import IntegrityError, connection, transaction

from events import Entry, PermanentError, processor
from tests.recorder.models import Seen


@processor("test.record", "test.record.too")
def record(entries: list[Entry]) -> None:
    _record(entries)


@processor("test.other")
def other(entries: list[Entry]) -> None:
    _record(entries)


def _record(entries: list[Entry]) -> None:
    together, pid = len(entries), os.getpid()
    Seen.objects.bulk_create(
        Seen(event_id=e.event_id, did=e.did, number=e.payload.get("n", 0), pid=pid, batch=together) for e in entries
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
        case "swallow":
            try:
                with transaction.atomic(savepoint=False):
                    raise IntegrityError("as a database would")
            except IntegrityError:
                return
        case "refuse-after-lock":
            try:
                raise psycopg.errors.LockNotAvailable("lock timeout")
            except psycopg.Error:
                raise PermanentError("told to refuse") from None
        case "lock-timeout":
            raise psycopg.errors.LockNotAvailable("told to: lock timeout")
        case "deadlock":
            raise psycopg.errors.DeadlockDetected("told to: deadlock detected")
        case "disk-full":
            raise psycopg.errors.DiskFull("told to: disk full")
        case "statement-timeout":
            raise psycopg.errors.QueryCanceled("told to: statement timeout")


@processor("test.cross")
def cross(entries: list[Entry]) -> None:
    """Write two rows that all events share, in an order that depends on the event: what no well-made processor does."""
    for entry in entries:
        for key in (1, 2) if entry.payload["forth"] else (2, 1):
            with connection.cursor() as cursor:
                cursor.execute(
                    "insert into recorder_tally (id, total) values (%s, 1)"
                    " on conflict (id) do update set total = recorder_tally.total + 1",
                    [key],
                )
