"""Rules of the quarantine, and of lanes that keep failing."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BATCH_TESTS = "tests/events/test_batch.py"
LANE_TESTS = "tests/events/test_lane_failures.py"
CRASHES = "tests/integration/test_crash_points.py"

QUARANTINE = {
    "suspect-among-others": Mutant(
        "a suspect is not applied among others",
        "events/worker/batch.py",
        "if until is not None or suspect:",
        "if until is not None:",
        (f"{BATCH_TESTS}::test_a_suspect_is_left_out_of_ordinary_batches_with_what_follows_it",),
    ),
    "suspect-as-candidate": Mutant(
        "a suspect is no candidate of its lane",
        "events/log/sql/lock.postgresql.sql",
        "p.available_at is null and not p.suspect and p.priority = 1",
        "p.available_at is null and p.priority = 1",
        ("tests/events/test_lane_locks.py::test_a_suspect_alone_locks_no_lane",),
    ),
    "announcement-kept": Mutant(
        "an announcement is cleared when its batch raises",
        "events/worker/steps.py",
        """        try:
            return self.ordinary(request)
        finally:
            # Of a batch that raised, too: this process lives.
            self.membership.announce([])
""",
        """        result = self.ordinary(request)
        self.membership.announce([])
        return result
""",
        (f"{LANE_TESTS}::test_an_announcement_is_cleared_when_its_batch_raises",),
    ),
    "not-announced": Mutant(
        "a careful worker announces its events before it applies them",
        "events/worker/steps.py",
        "        self.membership.announce(ids, alone=request.suspect is not None)\n",
        "",
        (f"{LANE_TESTS}::test_an_announcement_is_cleared_when_its_batch_raises",),
    ),
    "suspects-wait-for-a-poll": Mutant(
        "a turn of the other events that found nothing is followed by the suspects' turn",
        "events/worker/schedule.py",
        "        return int(self.suspects and self._suspect_ran)\n",
        "        return 0\n",
        ("tests/events/test_schedule.py::test_suspects_run_one_after_another_without_a_poll_between_them",),
    ),
    "suspects-without-strikes": Mutant(
        "a suspect is marked in one transaction with its strike",
        "events/worker/quarantine.py",
        "    with transaction.atomic():\n        if not alone:\n",
        "    if True:\n        if not alone:\n",
        (
            "tests/events/test_quarantine.py::test_no_event_is_a_suspect_without_its_strike",
            "tests/events/test_quarantine.py::test_no_crash_is_counted_without_its_strike",
        ),
    ),
    "death-without-suspects": Mutant(
        "a death is recorded in one transaction with its suspects",
        "events/worker/fleet.py",
        "        with transaction.atomic():\n            still = Worker",
        "        if True:\n            still = Worker",
        (
            f"{CRASHES}::test_suspects_that_are_half_marked_are_marked_by_the_next_worker",
            f"{CRASHES}::test_the_third_crash_of_an_event_is_counted_once",
        ),
    ),
    "any-success": Mutant(
        "the success of another lane does not end a lane's failures",
        "events/worker/lane_failures.py",
        "                    self._failing.pop(lane, None)\n",
        "                    self._failing.clear()\n",
        (f"{LANE_TESTS}::test_failures_of_one_lane_are_not_those_of_another",),
    ),
    "failures-of-all-lanes": Mutant(
        "failures are counted for each lane",
        "events/worker/lane_failures.py",
        "return any((failing := self._failing.get(lane)) and failing.times >= REPEATS for lane in lanes)",
        "return sum(failing.times for failing in self._failing.values()) >= REPEATS",
        (f"{LANE_TESTS}::test_failures_of_one_lane_are_not_those_of_another",),
    ),
    "failing-lane-shared": Mutant(
        "a lane that fails shares no batch",
        "events/worker/steps.py",
        "replace(request, avoid=self.failures.failing()) if due is None",
        "request if due is None",
        (f"{LANE_TESTS}::test_one_lane_that_fails_holds_up_none_that_shared_its_batch",),
    ),
    "due-lane-shared": Mutant(
        "a lane that fails is retried alone",
        "events/worker/steps.py",
        "if due is None else replace(request, lanes=(due,))",
        "if due is None else request",
        (f"{LANE_TESTS}::test_one_lane_that_fails_holds_up_none_that_shared_its_batch",),
    ),
    "retry-taken-twice": Mutant(
        "a due lane is retried by one thread",
        "events/worker/lane_failures.py",
        "                    failing.retry_at = now + failing.pause\n",
        "",
        (f"{LANE_TESTS}::test_a_lane_is_retried_at_pauses_that_double_up_to_a_bound",),
    ),
    "retries-at-once": Mutant(
        "retries of a lane take a tenth of a thread's time at most",
        "events/worker/lane_failures.py",
        "max(SHARE * seconds, FIRST_PAUSE * 2 ** min(times - 1, 20))",
        "FIRST_PAUSE * 2 ** min(times - 1, 20)",
        (f"{LANE_TESTS}::test_retries_of_a_lane_take_a_tenth_of_the_time_at_most",),
    ),
    "lock-timeout-as-failure": Mutant(
        "a lock timeout never becomes an attempt",
        "events/worker/bisection.py",
        "return self.count_transient and may_be_the_events_own(error)",
        "return self.count_transient",
        (f"{BATCH_TESTS}::test_contention_and_a_full_disk_never_become_an_attempt_however_often_they_come",),
    ),
}
