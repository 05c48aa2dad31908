"""What was accepted is in the log, once, whatever is killed: a client's ledger against the database."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from tests.integration.conftest import ROOT, WorkerProcess, eventually
from tests.integration.web import WebProcess
from tests.servers import PostgreSQL

pytestmark = [pytest.mark.proof, pytest.mark.postgresql]

KILLS, RESTARTS = 200, 20
LONGEST_PAUSE = 2.4  # seconds between two faults

LOG = "select event_id, state, payload::json ->> 'do' from events_event join events_state using (id)"
SEEN = "select count(*), count(distinct event_id) from recorder_seen"
OUT_OF_ORDER = """
select count(*)
from (select number < lag(number) over (partition by did order by id) as late from recorder_seen) applied where late
"""


class Platform:
    """Two web servers and two workers, each started again when it was killed, on a PostgreSQL of their own."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self.database = stack.enter_context(PostgreSQL())
        self.ledger = directory / "ledger"
        self._directory = directory
        migrate = [sys.executable, "manage.py", "migrate", "-v", "0"]
        environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": self.database.url}
        subprocess.run(migrate, cwd=ROOT, env={**os.environ, **environment}, check=True)
        self.webs = [
            stack.enter_context(WebProcess(self.database.url, EVENT_QUEUE_CAPACITY="1000000")) for _ in range(2)
        ]
        self.workers = [self._worker(n) for n in range(2)]
        stack.callback(self._stop_workers)
        urls = [web.address for web in self.webs]
        client = [sys.executable, "-m", "tests.integration.ledger", str(self.ledger), settings.INTERNAL_API_KEY, *urls]
        self.client = subprocess.Popen(client, cwd=ROOT)
        stack.callback(self.client.wait)
        stack.callback(self.client.kill)

    def kill_one(self, chance: random.Random) -> None:
        """Kill a web server or a worker, and start it again."""
        number = chance.randrange(2)
        if chance.random() < 0.5:
            self.webs[number].kill()
            self.webs[number].start()
        else:
            self.workers[number].kill()
            self.workers[number] = self._worker(number)

    def restart_database(self) -> None:
        """Crash PostgreSQL, and let it recover."""
        self.database.stop("immediate")
        self.database.start()

    def accepted(self) -> list[str]:
        """The ledger's event_ids."""
        return self.ledger.read_text().split("\n")[:-1] if self.ledger.exists() else []

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What the database says."""
        with psycopg.connect(self.database.url) as connection:
            return connection.execute(query).fetchall()

    def _stop_workers(self) -> None:
        for worker in self.workers:
            worker.kill()

    def _worker(self, number: int) -> WorkerProcess:
        return WorkerProcess(log=self._directory / f"worker{number}.log", url=self.database.url)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with ExitStack() as stack:
        yield Platform(stack, tmp_path)


def test_every_accepted_event_is_in_the_log_once_and_ends_done_or_dead(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    eventually(lambda: len(platform.accepted()) > 100, within=60, what="the first accepted events")
    chance = random.Random(20)
    faults: list[Callable[[], None]] = [lambda: platform.kill_one(chance)] * KILLS
    faults += [platform.restart_database] * RESTARTS
    chance.shuffle(faults)
    for fault in faults:
        time.sleep(chance.uniform(0, LONGEST_PAUSE))  # the moment of a fault is chance: nothing is waited for
        fault()
    before = len(platform.accepted())
    eventually(lambda: len(platform.accepted()) > before + 500, within=60, what="it takes events in again")
    platform.client.terminate()
    platform.client.wait(30)
    pending = "select count(*) from events_pending"
    eventually(lambda: platform.rows(pending) == [(0,)], within=120, what="nothing is pending")

    accepted = platform.accepted()
    assert [line for line in accepted if line.startswith("!")] == [], "answers that are neither accepted nor 503"
    log = {str(event_id): (state, do) for event_id, state, do in platform.rows(LOG)}
    with capsys.disabled():
        print(f"\n  {len(accepted):,} accepted, {len(log):,} in the log; {KILLS} kills, {RESTARTS} restarts", end="")
    assert set(accepted) <= set(log), "an accepted event is not in the log"
    assert len(accepted) == len(set(accepted))
    assert set(log.values()) == {(1, "nothing"), (1, "fail-at-first"), (2, "refuse")}
    done = sum(state == 1 for state, _ in log.values())
    assert platform.rows(SEEN) == [(done, done)], "an event was applied twice, or marked done without its effects"
    assert platform.rows(OUT_OF_ORDER) == [(0,)]
