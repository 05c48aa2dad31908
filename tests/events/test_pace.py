from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.worker.pace import FIRST_LIMIT, HELD_AT_LEAST, Pace
from events.worker.persist import wait_for


def pace() -> Pace:
    return Pace(lanes=64, batch_size=300, seconds=4)


def test_a_full_batch_halves_the_share_and_a_partial_one_doubles_it() -> None:
    p = pace()
    assert p.took(read=p.limit, limit=p.limit, seconds=0.01) is True
    assert p.share == 32
    assert p.took(read=1, limit=p.limit, seconds=0.01) is False
    assert p.share == 64


def test_the_first_batches_are_small_and_grow_while_they_are_quick() -> None:
    p = pace()
    assert p.limit == FIRST_LIMIT
    for _ in range(10):
        p.took(p.limit, p.limit, seconds=0.01)
    assert p.limit == 300


def test_slow_processors_get_smaller_batches() -> None:
    p = pace()
    p.limit = 300
    for _ in range(20):
        p.took(p.limit, p.limit, seconds=10)
    assert p.limit == 1


def test_the_limit_settles_where_a_step_takes_its_time() -> None:
    p = Pace(lanes=64, batch_size=10_000, seconds=4)
    for _ in range(20):
        p.took(p.limit, p.limit, seconds=p.limit * 0.01)
    assert p.limit == 400


def test_a_step_that_was_slow_though_it_found_little_makes_the_next_one_smaller() -> None:
    p = pace()
    p.limit = 300
    p.took(4, p.limit, seconds=8)
    assert p.limit == 2


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 60)), max_size=50))
def test_share_and_limit_keep_within_their_bounds(steps: list[tuple[int, float]]) -> None:
    p = pace()
    for read, seconds in steps:
        p.took(min(read, p.limit), p.limit, seconds)
        assert 1 <= p.share <= 64 and 1 <= p.limit <= 300


def test_a_batch_refused_at_commit_is_taken_event_by_event_and_then_as_before() -> None:
    p = pace()
    p.limit = 300
    p.one_by_one()
    for _ in range(299):
        assert p.limit == 1
        p.took(1, 1, seconds=0.01)
    p.took(1, 1, seconds=0.01)
    assert p.limit == FIRST_LIMIT


def test_every_tenth_step_goes_by_age() -> None:
    p = pace()
    assert [n for n in range(1, 21) if p.request().by_age] == [10, 20]


def test_several_steps_of_one_limit_at_once_double_it_once() -> None:
    p = pace()
    for _ in range(4):
        p.took(FIRST_LIMIT, FIRST_LIMIT, seconds=0.01)
    assert p.limit == 2 * FIRST_LIMIT
    p.limit = 200
    for _ in range(4):
        p.took(200, 200, seconds=8)
    assert p.limit == 100


def test_a_file_that_is_held_too_long_makes_batches_smaller_down_to_a_bound() -> None:
    p = Pace(lanes=64, batch_size=500, seconds=4, held=0.02)
    for _ in range(20):
        p.took(p.limit, p.limit, seconds=p.limit * 0.0001)
    assert p.limit == 200
    for _ in range(20):
        p.took(p.limit, p.limit, seconds=0.05)  # mostly fixed costs
    assert p.limit == HELD_AT_LEAST
    for _ in range(20):
        p.took(p.limit, p.limit, seconds=p.limit * 1.0)
    assert p.limit == 4, "slow processors: a batch must end within its time"


def test_after_a_batch_that_outlived_its_time_the_next_ones_are_small() -> None:
    p = pace()
    p.limit = 300
    p.begin()
    assert p.limit == FIRST_LIMIT


def test_waits_are_2_4_and_8_seconds_then_none_and_chance_only_shortens_them_by_a_tenth_at_most() -> None:
    for attempts, seconds in ((1, 2.0), (2, 4.0), (3, 8.0)):
        waits = [wait_for(attempts) for _ in range(100)]
        assert all(wait is not None and 0.9 * seconds <= wait <= seconds for wait in waits)
        assert len(set(waits)) > 1
    assert wait_for(4) is None
