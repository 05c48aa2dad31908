"""Room in the log: one capacity for all priorities, computed from what is there. No sleeps: the clock is ours."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError
from psycopg.errors import QueryCanceled
from pytest_django import Settings

from events.intake.admission import Admission
from tests.integration.conftest import eventually

LOW, NORMAL, HIGH, CRITICAL = range(4)
CAPACITY = 100


class Log:
    """A log whose pending events, drain rate and clock a test sets."""

    def __init__(self) -> None:
        self.pending = 0
        self.rate = 10.0
        self.now = 1_000.0
        self.takes = 0.0  # seconds that counting takes
        self.counted = 0  # times
        self.while_counting: Callable[[], None] = lambda: None

    def pending_count(self, limit: int) -> int:
        self.counted += 1
        self.now += self.takes
        seen = min(self.pending, limit)
        self.while_counting()
        return seen

    def drain_rate(self) -> float:
        return self.rate

    def clock(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _capacity(settings: Settings) -> None:
    settings.EVENT_QUEUE_CAPACITY = CAPACITY


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def admission(log: Log) -> Admission:
    return admission_of(log, background=False)


def admission_of(log: Log, *, background: bool) -> Admission:
    return Admission(pending_count=log.pending_count, drain_rate=log.drain_rate, clock=log.clock, background=background)


def append(admission: Admission, log: Log, priorities: list[int]) -> int:
    """Reserve, append what fits, settle; the number that fitted."""
    fits = sum(admission.reserve(priorities))
    log.pending += fits
    admission.settle(fits, fits)
    return fits


class TestCapacity:
    """Origin's defect 4: each priority had a quarter, so that one alone was refused at 25 %."""

    @pytest.mark.parametrize("priority", [LOW, NORMAL, HIGH])
    def test_one_priority_alone_has_80_percent(self, admission: Admission, log: Log, priority: int) -> None:
        assert append(admission, log, [priority] * 200) == 80

    def test_critical_alone_has_all_of_it(self, admission: Admission, log: Log) -> None:
        assert append(admission, log, [CRITICAL] * 200) == 100

    def test_critical_is_accepted_where_others_are_not(self, admission: Admission, log: Log) -> None:
        log.pending = 80
        assert admission.reserve([NORMAL, CRITICAL, HIGH, CRITICAL, LOW]) == [False, True, False, True, False]

    def test_a_batch_is_cut_where_the_room_ends(self, admission: Admission, log: Log) -> None:
        log.pending = 78
        assert admission.reserve([NORMAL, NORMAL, NORMAL]) == [True, True, False]

    def test_follows_the_setting(self, admission: Admission, log: Log, settings: Settings) -> None:
        log.pending = 80
        assert admission.reserve([NORMAL]) == [False]
        settings.EVENT_QUEUE_CAPACITY = 1_000
        assert admission.reserve([NORMAL]) == [True]


class TestEstimate:
    """Origin's defect 5: a flag stuck when traffic stopped. Here nothing is kept but a sample and a sum."""

    def test_what_was_appended_since_the_sample_counts(self, admission: Admission, log: Log) -> None:
        for _ in range(8):
            assert append(admission, log, [NORMAL] * 10) == 10
        assert append(admission, log, [NORMAL]) == 0
        assert log.counted == 1

    def test_what_is_reserved_counts_before_it_is_committed(self, admission: Admission) -> None:
        assert admission.reserve([NORMAL] * 80) == [True] * 80
        assert admission.reserve([NORMAL]) == [False]

    def test_what_failed_or_was_there_already_does_not_count(self, admission: Admission) -> None:
        admission.reserve([NORMAL] * 80)
        admission.settle(80, 0)
        assert admission.reserve([NORMAL]) == [True]

    def test_is_free_again_once_the_log_is(self, admission: Admission, log: Log) -> None:
        assert append(admission, log, [NORMAL] * 100) == 80
        log.pending = 0
        admission.sample()
        assert append(admission, log, [NORMAL] * 100) == 80

    def test_a_pause_makes_the_sample_stale(self, admission: Admission, log: Log) -> None:
        """The last thing seen was a full log; traffic stopped, workers drained it, and the next request is welcome."""
        log.pending = 100
        assert admission.reserve([NORMAL]) == [False]
        log.pending, log.now = 0, log.now + 3_600
        assert admission.reserve([NORMAL]) == [True]

    def test_others_events_are_seen_by_the_next_sample(self, admission: Admission, log: Log) -> None:
        assert admission.reserve([NORMAL]) == [True]
        log.pending = 90  # by other processes
        admission.sample()
        assert admission.reserve([NORMAL]) == [False]

    def test_what_commits_during_a_sample_is_not_lost(self, admission: Admission, log: Log) -> None:
        """Whether the count saw it is unknown, so it is added: the estimate errs to the safe side."""
        admission.reserve([NORMAL] * 30)
        log.while_counting = lambda: admission.settle(30, 30)
        admission.sample()
        assert admission.pending == 30
        log.while_counting = lambda: None
        log.pending = 30
        admission.sample()
        assert admission.pending == 30

    def test_what_is_in_flight_during_a_sample_is_not_lost(self, admission: Admission, log: Log) -> None:
        admission.reserve([NORMAL] * 30)
        admission.sample()
        assert admission.pending == 30
        log.pending += 30
        admission.settle(30, 30)
        assert admission.pending == 30

    def test_concurrent_reservations_never_exceed_the_capacity(self, admission: Admission) -> None:
        admission.sample()
        fitted: list[int] = []
        threads = [
            threading.Thread(target=lambda: fitted.append(sum(admission.reserve([NORMAL] * 7)))) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(fitted) == 80


class TestSampling:
    def test_the_first_request_takes_one(self, admission: Admission, log: Log) -> None:
        assert admission.stale
        admission.reserve([NORMAL])
        assert not admission.stale
        assert log.counted == 1

    def test_requests_that_follow_take_none(self, admission: Admission, log: Log) -> None:
        for _ in range(100):
            log.now += 0.001
            admission.reserve([])
        assert log.counted == 1

    def test_a_sample_that_waited_for_a_frozen_server_delays_the_next_by_a_second_at_most(self, log: Log) -> None:
        admission = admission_of(log, background=True)
        log.pending, log.takes = CAPACITY, 30.0
        assert admission.reserve([NORMAL]) == [False]
        log.pending, log.takes = 0, 0.0
        log.now += 1.1  # the sample is due, and not yet stale
        eventually(lambda: admission.reserve([NORMAL]) == [True], within=5)
        assert log.counted == 2

    def test_nothing_is_refused_on_an_estimate_older_than_two_seconds(self, admission: Admission, log: Log) -> None:
        log.pending = CAPACITY
        assert admission.reserve([NORMAL]) == [False]
        log.now += 1.9
        assert admission.reserve([NORMAL], ask=False) == [False]
        log.now += 0.2
        assert admission.reserve([NORMAL], ask=False) == [True]

    def test_while_counting_takes_too_long_everything_is_admitted_and_reported(
        self, admission: Admission, log: Log
    ) -> None:
        def fail() -> None:
            raise OperationalError("canceling statement due to statement timeout") from QueryCanceled()

        log.pending, log.while_counting = CAPACITY, fail
        assert admission.reserve([NORMAL, CRITICAL]) == [True, True]
        assert admission.report() == {"pending": None, "sample_age_seconds": 0.0}
        log.while_counting = lambda: None
        admission.sample()
        assert admission.reserve([NORMAL]) == [False]
        assert admission.report()["pending"] == CAPACITY + 2

    def test_reports_nothing_where_nothing_was_admitted_lately(self, admission: Admission, log: Log) -> None:
        assert admission.report() == {}
        admission.reserve([NORMAL])
        assert admission.report() == {"pending": 1, "sample_age_seconds": 0.0}
        log.now += 10
        assert admission.report() == {}

    def test_an_error_of_the_first_sample_is_the_requests(self, admission: Admission, log: Log) -> None:
        def fail() -> None:
            raise ConnectionError

        log.while_counting = fail
        with pytest.raises(ConnectionError):
            admission.reserve([NORMAL])
        log.while_counting = lambda: None
        assert admission.reserve([NORMAL]) == [True]

    def test_a_thread_samples_beside_the_requests(self, log: Log) -> None:
        counted = threading.Semaphore(0)
        log.while_counting = lambda: counted.release()
        admission = admission_of(log, background=True)
        admission.reserve([NORMAL])
        assert counted.acquire(timeout=5)
        for _ in range(3):
            log.now += 0.3  # the sample is due, and not yet stale
            admission.reserve([])
            assert counted.acquire(timeout=5)

    def test_a_thread_outlives_a_failing_sample(self, log: Log, caplog: pytest.LogCaptureFixture) -> None:
        admission = admission_of(log, background=True)
        admission.reserve([NORMAL])
        counted = threading.Semaphore(0)

        def fail() -> None:
            counted.release()
            raise ConnectionError

        log.while_counting = fail
        log.now += 0.3
        admission.reserve([])
        assert counted.acquire(timeout=5)
        log.while_counting = lambda: counted.release()
        admission.reserve([])
        assert counted.acquire(timeout=5)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("pending", "rate", "refused", "seconds"),
        [
            (80, 10.0, 1, 1),
            (100, 10.0, 1, 3),  # 21 events at 10 a second
            (100, 10.0, 280, 30),
            (100, 1_000_000.0, 1, 1),
            (100, 0.1, 1, 60),
            (100, 0.0, 1, 60),  # no worker
        ],
    )
    def test_is_the_time_until_there_is_room(
        self, admission: Admission, log: Log, pending: int, rate: float, refused: int, seconds: int
    ) -> None:
        log.pending, log.rate = pending, rate
        admission.reserve([NORMAL] * refused)
        assert admission.retry_after(refused) == seconds
