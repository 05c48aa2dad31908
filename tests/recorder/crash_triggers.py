"""Places inside of one PostgreSQL statement, or in its COMMIT, where the backend that runs it is terminated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

Fired = Callable[[], bool]

TRIGGERS = {
    "before pending": "trigger crash before insert on events_pending",  # its event has been inserted
    "append at commit": "constraint trigger crash after insert on events_pending deferrable initially deferred",
    "before batch": "trigger crash before insert on events_batch",  # its pending rows are deleted
    "batch at commit": "constraint trigger crash after insert on events_batch deferrable initially deferred",
    "before letter": "trigger crash before insert on events_dead_letter",  # its pending row is deleted
}

# A sequence is never rolled back: it says that the trigger fired, and lets it fire only once.
INSTALL = """
create sequence crash_fired;
create function crash() returns trigger language plpgsql as $$
begin
    if nextval('crash_fired') = 1 then
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(60);
    end if;
    return new;
end $$;
create {trigger} for each row execute function crash()
"""

REMOVE = "drop function crash() cascade; drop sequence crash_fired"


@contextmanager
def backend_dies_at(place: str) -> Iterator[Fired]:
    """Terminate the first backend that comes to a place; gives a function that says whether one did."""

    def fired() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("select is_called from crash_fired")
            return bool(cursor.fetchone()[0])

    _execute(INSTALL.format(trigger=TRIGGERS[place]))
    try:
        yield fired
    finally:
        _execute(REMOVE)


def _execute(statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements)
