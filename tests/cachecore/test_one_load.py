"""However many ask for what is missing, one of them loads it: threads, tasks, and processes, even if one dies."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cachecore import cache
from tests.cachecore.actors import Actors, Process, Request, actors
from tests.cachecore.world import truth_table
from tests.integration.conftest import database_url
from tests.servers import Valkey

pytestmark = pytest.mark.django_db(transaction=True)

ASKING = 100
PROCESSES = 4
LEASE = 3.0  # seconds after which the load of a dead process is taken over


class Source:
    """Counts how often it is asked, and answers when all who want to know are about to ask."""

    def __init__(self, asking: int) -> None:
        self.asked = 0
        self._asking = asking
        self._begun = threading.Semaphore(0)

    def begin(self) -> None:
        """Called by each before it asks."""
        self._begun.release()

    def __call__(self) -> int:
        self.asked += 1
        for _ in range(self._asking if self.asked == 1 else 0):
            assert self._begun.acquire(timeout=30)
        return self.asked


@pytest.mark.parametrize("tags", [(), ("t",)])
def test_of_a_hundred_threads_one_loads(tags: tuple[str, ...]) -> None:
    for attempt in range(5):
        source, mode = Source(ASKING), cache.backend.location.mode

        def ask(key: str = f"ns:threads-{attempt}", source: Source = source) -> int:
            source.begin()
            return cache.get_or_set(key, source, tags=tags)

        with ThreadPoolExecutor(ASKING) as threads:
            answers = [future.result(30) for future in [threads.submit(ask) for _ in range(ASKING)]]
        # A hundred threads may keep Redis waiting: where it was given up meanwhile, a second one may load.
        if cache.backend.location.mode is mode:
            break

    assert (answers, source.asked) == ([1] * ASKING, 1)


async def test_of_a_hundred_tasks_one_loads() -> None:
    begun, asked = 0, 0
    all_have = asyncio.Event()

    async def load() -> int:
        nonlocal asked
        asked += 1
        await asyncio.wait_for(all_have.wait(), 30)
        return asked

    async def ask() -> int:
        nonlocal begun
        begun += 1
        if begun == ASKING:
            all_have.set()
        return await cache.aget_or_set("ns:tasks", load, tags=["t"])

    answers = await asyncio.gather(*(ask() for _ in range(ASKING)))

    assert (answers, asked) == ([1] * ASKING, 1)


# Each of the processes holds its load, if it comes to one.


@pytest.fixture(scope="module")
def cast(django_db_setup: None) -> Iterator[Actors]:
    with truth_table(database_url()), actors(database_url()) as started:
        yield started


@pytest.fixture
def asking(cast: Actors) -> Iterator[list[tuple[Process, Request]]]:
    """Processes that have asked for the same thing, each with its request."""
    with Valkey() as server:
        processes = [cast.start(server.url) for _ in range(PROCESSES)]
        trusting = [process.ask("await trust") for process in processes]
        assert all(request.wait("done", timeout=15) for request in trusting)
        what = {"prefix": "ns", "keys": ["a"], "how": "document", "hold": "after"}
        yield [(process, process.ask("read", **what)) for process in processes]
        for process in processes:
            process.kill()


@pytest.mark.redis
@pytest.mark.postgresql
def test_of_four_processes_one_loads(asking: list[tuple[Process, Request]]) -> None:
    process, load = the_loading_one(asking)
    process.go_on(load)

    assert all(read.wait("done", timeout=10) for _, read in asking)
    assert [read for _, read in asking if "loaded" in read.answers] == [load]


@pytest.mark.redis
@pytest.mark.postgresql
def test_a_load_whose_process_dies_is_done_by_another(asking: list[tuple[Process, Request]]) -> None:
    process, load = the_loading_one(asking)
    process.kill()
    rest = [each for each in asking if each[0] is not process]
    began = time.monotonic()
    process, load = the_loading_one(rest)

    assert time.monotonic() - began < 3 * LEASE
    process.go_on(load)
    assert all(read.wait("done", timeout=10) for _, read in rest)
    assert [read for _, read in rest if "loaded" in read.answers] == [load]


def the_loading_one(asking: list[tuple[Process, Request]]) -> tuple[Process, Request]:
    """Wait until one of the requests is in its loader."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        for process, read in asking:
            if read.wait("loaded", timeout=0.02):
                return process, read
    raise AssertionError("nobody loads")
