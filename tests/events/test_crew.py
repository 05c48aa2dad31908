from __future__ import annotations

from collections.abc import Callable

import pytest

from events.worker.crew import Crew

BATCH = 300


def drain(crew: Crew, rate_of: Callable[[int], float], batches: int) -> list[int]:
    """Full batches at the rate that a crew of some size makes; the sizes on the way."""
    now, sizes = 0.0, []
    for _ in range(batches):
        now += BATCH / rate_of(crew.size)
        crew.full_batch(BATCH, now)
        sizes.append(crew.size)
    return sizes


def test_steps_that_wait_get_all_the_company_there_is() -> None:
    crew = Crew(10)
    drain(crew, lambda size: 1000.0 * size, 2000)
    assert crew.size == 10


def test_steps_that_share_the_cores_stay_few() -> None:
    crew = Crew(10)
    sizes = drain(crew, lambda size: {1: 30_000.0, 2: 36_000.0}.get(size, 34_000.0), 5000)
    assert max(sizes) == 3, "one more was tried"
    settled = sizes[200:]
    assert settled.count(2) / len(settled) > 0.8


def test_a_crew_of_one_stays_one() -> None:
    crew = Crew(1)
    assert set(drain(crew, lambda size: 1000.0, 500)) == {1}


def test_a_shallow_log_ends_a_try() -> None:
    crew = Crew(10)
    now = 0.0
    while crew.size == 1:
        now += 0.01
        crew.full_batch(BATCH, now)
    crew.partial_batch()
    assert crew.size == 1


@pytest.mark.parametrize("slots", [1, 2, 10])
def test_the_crew_keeps_within_its_slots(slots: int) -> None:
    crew = Crew(slots)
    assert all(1 <= size <= slots for size in drain(crew, lambda size: 100.0 * size**0.5, 3000))
