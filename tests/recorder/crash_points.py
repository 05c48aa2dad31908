"""Named places where a process kills itself: CRASH_AT=<name>[:<directory>] in its environment.

At the first call that reaches the place the process writes a file named after it in the directory, and is gone by
SIGKILL. Places inside of one PostgreSQL statement are in `crash_triggers`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce, wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from django.conf import settings


@dataclass(frozen=True)
class Point:
    """Before or after the first call of `function`, "module:name", or run of `statement`, a name in events/log/sql.

    Of a statement that changed or answered nothing, or a function whose answer is empty, it is a later one; `argument`
    counts instead of the answer where it is given. `part`: of a statement for SQLite that has several parts, after so
    many. `only` is the database that has the place.
    """

    when: Literal["before", "after"]
    function: str = ""
    statement: str = ""
    part: int = 0
    argument: int | None = None
    only: Literal["sqlite", "postgresql", ""] = ""

    @property
    def exists(self) -> bool:
        """Whether this database has the place."""
        return not self.only or (self.only == "sqlite") == _on_sqlite()


POINTS = {
    # An append.
    "append-event-without-pending": Point("before", statement="append_pending", only="sqlite"),
    "append-not-committed": Point("after", "events.log.append:_insert"),
    "append-not-answered": Point("before", "events.log.append:notify"),
    "append-not-answered-by-loop": Point("before", "events.log.append_async:notify", only="postgresql"),
    # A worker's batch.
    "batch-locked": Point("after", "events.worker.batch:lock_lanes"),
    "batch-fetched": Point("after", "events.worker.batch:fetch"),
    "batch-applied": Point("before", statement="complete"),
    "batch-completed": Point("after", statement="complete"),
    "batch-committed": Point("before", "events.worker.batch:observed"),
    "batch-failed": Point("after", statement="fail"),
    "batch-letter-half-written": Point("after", statement="fail", part=2, only="sqlite"),
    "batch-snoozed": Point("after", statement="snooze"),
    # The quarantine.
    "careful-peeked": Point("after", "events.worker.steps:peek_batch"),
    "careful-announced": Point("after", "events.worker.fleet:Membership.announce", argument=1),
    "suspects-marked": Point("after", statement="mark_suspects"),
    "third-crash-counted": Point("after", statement="count_crashes"),
    # Operators and housekeeping.
    "requeue-half-done": Point("after", statement="requeue", part=1, only="sqlite"),
    "requeue-not-answered": Point("after", statement="requeue"),
    "bulk-changed": Point("after", "events.bulk:_change"),
    "prune-events-deleted": Point("after", "events.worker.pruner:_delete_events"),
    "lanes-deleted": Point("before", "events.models:Lane.objects.bulk_create"),
}


def install(place: str) -> None:
    """Let this process die at `place`, "name" or "name:directory"."""
    name, _, directory = place.partition(":")
    point = POINTS[name]

    def die() -> None:
        _die(name, directory)

    if point.statement:
        from events.log import database

        database.execute = _dying_at(database.execute, point, die)
        database.statements = _dying_within(database.statements, point, die)
        return
    module_name, _, path = point.function.partition(":")
    *owners, last = path.split(".")
    owner = reduce(getattr, owners, import_module(module_name))
    setattr(owner, last, _dying(getattr(owner, last), point, die))


def _dying(function: Callable[..., Any], point: Point, die: Callable[[], None]) -> Callable[..., Any]:
    @wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if point.when == "before":
            die()
        answer = function(*arguments, **named)
        given = answer if point.argument is None else arguments[point.argument]
        if point.when == "after" and (given is None or _filled(given)):
            die()
        return answer

    return wrapped


def _dying_at(execute: Callable[..., Any], point: Point, die: Callable[[], None]) -> Callable[..., Any]:
    def wrapped(name: str, parameters: dict[str, Any]) -> Any:
        here = name == point.statement and not point.part
        if here and point.when == "before":
            die()
        rows, changed = execute(name, parameters)
        if here and (rows or changed > 0):
            die()
        return rows, changed

    return wrapped


def _dying_within(statements: Callable[..., tuple[str, ...]], point: Point, die: Callable[[], None]) -> Any:
    class Parts(tuple[str, ...]):
        def __iter__(self) -> Iterator[str]:
            for number, statement in enumerate(super().__iter__()):
                if number == point.part > 0:
                    die()
                yield statement

    def wrapped(name: str, vendor: str) -> tuple[str, ...]:
        parts = statements(name, vendor)
        return Parts(parts) if name == point.statement else parts

    return wrapped


def _filled(answer: Any) -> bool:
    """Whether an answer is of something: a batch that found nothing is no place to die at."""
    return bool(answer.ids if hasattr(answer, "ids") else answer)


def _die(name: str, directory: str) -> None:
    if directory:
        (Path(directory) / name).write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGKILL)


def _on_sqlite() -> bool:
    return bool(settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"))
