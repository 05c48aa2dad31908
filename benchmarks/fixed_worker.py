"""A worker process like `manage.py runworker --drain` that always runs the same number of batches at once.

    python -m benchmarks.fixed_worker CONCURRENCY

The worker itself adapts the number to the rate; this shows what each number yields.
"""

from __future__ import annotations

import sys

import django


def work(concurrency: int) -> None:
    """Drain the log."""
    from events.worker import runner, schedule
    from events.worker.crew import Crew

    class FixedCrew(Crew):
        """Full batches run `slots` at once from the first on."""

        def __init__(self, slots: int) -> None:
            super().__init__(slots)
            self.size = slots

        def full_batch(self, events: int, now: float) -> None:
            """Change nothing."""

        def partial_batch(self) -> None:
            """Change nothing."""

    schedule.Crew = FixedCrew  # type: ignore[misc]
    runner.run(slots=concurrency, drain=True)


if __name__ == "__main__":
    django.setup()
    work(int(sys.argv[1]))
