"""This project as a contestant: `manage.py runworker`, as it runs in production."""

from __future__ import annotations

from benchmarks.processes import PYTHON, environment, output_of
from benchmarks.server import execute
from benchmarks.workload import NOOP, RELATIONSHIP

KEY = "an-internal-key-for-benchmarks-0123456789"

# All that an event leaves behind, and the workers' own rows.
TABLES = """events_event, events_pending, events_batch, events_dead_letter, events_attempt, events_tally,
    events_latency, events_worker, graph_relationship, cachecore_invalidation"""


class Ours:
    """The project on one database; `applied` upserts relationships, else its processor does nothing."""

    table = "events_pending"
    log = "events_event"
    latency = """select extract(epoch from b.finished_at - e.received_at), e.received_at
 from events_batch b cross join unnest(coalesce(b.ids, array[b.last_id])) as done (id)
 join events_event e on e.id = done.id"""

    def __init__(self, url: str, *, applied: bool, name: str = "rhiz") -> None:
        self.url = url
        self.event_type = RELATIONSHIP if applied else NOOP
        self.name = f"{name}, {'relationships' if applied else 'no-op'}"
        self.history = 0  # the last id of the events that were done before and are kept

    @property
    def finished(self) -> str:
        return (
            "select sum(coalesce(cardinality(ids), 1)), extract(epoch from max(finished_at)) from events_batch"
            f" where last_id > {self.history}"
        )

    def prepare(self) -> None:
        """Create the tables that are missing."""
        output_of([PYTHON, "manage.py", "migrate", "--verbosity", "0"], self.environ())

    def empty(self) -> None:
        """Delete all events and what they left behind."""
        execute(self.url, f"truncate {TABLES} restart identity")

    def fill(self, events: int) -> None:
        self.empty()
        self.add(events)

    def add(self, events: int, seed: int = 1) -> None:
        """Append `events` to what is there."""
        output_of(self.appender("fill", events, self.event_type, seed), self.environ())
        execute(self.url, "analyze events_event", "analyze events_pending")

    def command(self) -> list[str]:
        return [*self.follow_command(), "--drain"]

    def follow_command(self) -> list[str]:
        """The command of a worker that runs until it is stopped."""
        return [PYTHON, "manage.py", "runworker"]

    def pace_command(self, rate: float, seconds: float) -> list[str]:
        """The command of an appender."""
        return self.appender("pace", rate, seconds)

    def appender(self, *arguments: object) -> list[str]:
        """The command of an appender process: see benchmarks/appender.py."""
        return [PYTHON, "-m", "benchmarks.appender", *map(str, arguments)]

    def environ(self) -> dict[str, str]:
        return environment(
            DATABASE_URL=self.url,
            DJANGO_SETTINGS_MODULE="benchmarks.settings",
            REDIS_URL="",
            CACHE_BACKEND="memory",
            DEBUG="0",
            SECRET_KEY="a-key-for-benchmarks-0123456789-abcdefghijklmnopqrstuvwxyz",
            INTERNAL_API_KEY=KEY,
            ALLOWED_HOSTS="localhost",
            LOG_LEVEL="WARNING",
        )


class OursWithConcurrency(Ours):
    """The same with another number of batches at once than the default."""

    def __init__(self, url: str, concurrency: int, *, applied: bool) -> None:
        super().__init__(url, applied=applied)
        self.concurrency = concurrency

    def follow_command(self) -> list[str]:
        return [*super().follow_command(), "--workers", str(self.concurrency)]
