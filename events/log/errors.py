"""Classify database errors: transient or not, and whether the event may be the cause."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import psycopg

# Classes of SQLSTATE (PostgreSQL's Appendix A): connection, transaction rollback, resources, operator, system.
TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
TRANSIENT = {
    "25P03",  # idle_in_transaction_session_timeout
    "25P04",  # transaction_timeout
    "25006",  # read-only: a primary that became a standby
    "55P03",  # lock_timeout
    "55006",  # object in use
}

SQLITE_TRANSIENT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
LOCK_TIMEOUT = "55P03"
STATEMENT_TOOK_TOO_LONG = {"57014", "25P04"}  # query_canceled, transaction_timeout


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of the innermost PostgreSQL error behind `error`, or None."""
    states = [cause.sqlstate for cause in causes(error) if isinstance(cause, psycopg.Error) and cause.sqlstate]
    return states[-1] if states else None


def is_transient(error: BaseException) -> bool:
    """Whether the same work may well succeed when it is simply done again.

    Deadlocks, serialization failures, timeouts, shutdowns, a full disk, and a connection that broke, after which it is
    unknown whether a commit took place.
    """
    for cause in causes(error):
        if isinstance(cause, psycopg.Error):
            state = cause.sqlstate
            if state is None:
                if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
                    return True
                continue
            if state in TRANSIENT or state.startswith(TRANSIENT_CLASSES):
                return True
        elif isinstance(cause, sqlite3.OperationalError):
            code = getattr(cause, "sqlite_errorcode", None)
            if code is not None and code & 0xFF in SQLITE_TRANSIENT:
                return True
    return False


def may_be_the_events_own(error: BaseException) -> bool:
    """Whether a transient error that keeps coming back may be caused by the event itself.

    A statement that takes too long, or another database that its processor needs. Lock timeouts, deadlocks, a full disk
    and shutdowns never are, and cost no attempt.
    """
    state = sqlstate(error)
    if state is not None:
        return state in STATEMENT_TOOK_TOO_LONG
    return not any(isinstance(cause, sqlite3.Error) for cause in causes(error))


def is_contention(error: BaseException) -> bool:
    """Whether a transaction lost against another one, on a connection that is as good as before."""
    state = sqlstate(error)
    if state is not None:
        return state.startswith("40") or state == "55P03"
    busy = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return any(getattr(cause, "sqlite_errorcode", 0) & 0xFF in busy for cause in causes(error))
