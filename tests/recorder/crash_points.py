"""Named places where a process kills itself: CRASH_AT=<name>[:<directory>] in its environment.

At the first call that reaches the place the process writes a file named after it in the directory, and is gone by
SIGKILL. Places inside of one PostgreSQL statement are in `crash_triggers`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce, wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from django.conf import settings


@dataclass(frozen=True)
class Point:
    """Before or after a call of `function`, "module:name"; {log} is the package of the database's statements.

    Of a function that runs any statement, `statement` is the constant of its module that it is given. Without one it
    is the first call whose answer is not empty; `argument` counts instead of the answer where it is given.
    `only` is the database that has the place.
    """

    when: Literal["before", "after"]
    function: str
    statement: str = ""
    argument: int | None = None
    only: Literal["sqlite", "postgresql", ""] = ""

    @property
    def exists(self) -> bool:
        """Whether this database has the place."""
        return not self.only or (self.only == "sqlite") == _on_sqlite()


POINTS = {
    # An append.
    "append-event-without-pending": Point("before", "events.log.sqlite.append:run", "PENDING", only="sqlite"),
    "append-not-committed": Point("after", "{log}:append"),
    "append-not-answered": Point("before", "events.log.append:notify"),
    "append-not-answered-by-loop": Point("before", "events.log.append_async:notify", only="postgresql"),
    # A worker's batch.
    "batch-locked": Point("after", "{log}:lock_lanes"),
    "batch-fetched": Point("after", "{log}:fetch"),
    "batch-applied": Point("before", "{log}:complete"),
    "batch-completed": Point("after", "{log}:complete"),
    "batch-committed": Point("before", "events.worker.batch:observed"),
    "batch-failed": Point("after", "{log}:fail"),
    "batch-letter-half-written": Point("before", "events.log.sqlite.complete:changed", "DEAD", only="sqlite"),
    "batch-snoozed": Point("after", "{log}:snooze_blocked"),
    # The quarantine.
    "careful-peeked": Point("after", "events.worker.steps:peek_batch"),
    "careful-announced": Point("after", "events.worker.fleet:Membership.announce", argument=1),
    "suspects-marked": Point("after", "{log}:mark_suspects"),
    "third-crash-counted": Point("after", "{log}:count_crashes"),
    # Operators and housekeeping.
    "requeue-half-done": Point("after", "events.log.sqlite.dead_letters:run", "GONE_LETTERS", only="sqlite"),
    "requeue-not-answered": Point("after", "{log}:requeue"),
    "bulk-changed": Point("after", "events.bulk:_change"),
    "prune-events-deleted": Point("after", "events.worker.pruner:_delete_events"),
    "lanes-deleted": Point("before", "events.models:Lane.objects.bulk_create"),
}


def install(place: str) -> None:
    """Let this process die at `place`, "name" or "name:directory"."""
    name, _, directory = place.partition(":")
    point = POINTS[name]
    module_name, _, path = point.function.format(log=_log()).partition(":")
    module = import_module(module_name)
    *owners, last = path.split(".")
    owner = reduce(getattr, owners, module)
    function = getattr(owner, last)
    setattr(owner, last, _dying(function, point, module, lambda: _die(name, directory)))


def _dying(function: Callable[..., Any], point: Point, module: Any, die: Callable[[], None]) -> Callable[..., Any]:
    @wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        here = not point.statement or arguments[0] is getattr(module, point.statement)
        if here and point.when == "before":
            die()
        answer = function(*arguments, **named)
        given = answer if point.argument is None else arguments[point.argument]
        if here and point.when == "after" and (given is None or _filled(given)):
            die()
        return answer

    return wrapped


def _filled(answer: Any) -> bool:
    """Whether an answer is of something: a batch that found nothing is no place to die at."""
    return bool(answer.ids if hasattr(answer, "ids") else answer)


def _die(name: str, directory: str) -> None:
    if directory:
        (Path(directory) / name).write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGKILL)


def _log() -> str:
    return f"events.log.{'sqlite' if _on_sqlite() else 'postgres'}"


def _on_sqlite() -> bool:
    return bool(settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"))
