"""The threads of a worker: the loop itself never waits for the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

from events.exceptions import EventError
from events.log.errors import is_contention

T = TypeVar("T")


class Threads:
    """So many threads, each with a connection of its own."""

    def __init__(self, number: int) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="step")

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call` in a thread; a connection on which it failed is not used again."""

        def guarded() -> T:
            try:
                return call()
            except EventError:
                raise
            except Exception as error:
                if not is_contention(error):
                    connection.close()
                raise

        return await asyncio.get_running_loop().run_in_executor(self._pool, guarded)

    def end(self) -> None:
        """Wait for what runs, and end."""
        self._pool.shutdown()
