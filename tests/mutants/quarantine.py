"""Rules of the quarantine, and of lanes that keep failing."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BATCH_TESTS = "tests/events/test_batch.py"
LANE_TESTS = "tests/events/test_lane_failures.py"
SCHEDULE_TESTS = "tests/events/test_schedule.py"
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
        "self._failing.pop((lane, suspect), None)",
        "self._failing.clear()",
        (f"{LANE_TESTS}::test_failures_of_one_lane_are_not_those_of_another",),
    ),
    "failures-of-all-lanes": Mutant(
        "failures are counted for each lane",
        "events/worker/lane_failures.py",
        "(failing := self._failing.get((lane, suspect))) and failing.times >= REPEATS for lane in lanes",
        "failing.times >= REPEATS for failing in self._failing.values()",
        (f"{LANE_TESTS}::test_failures_of_one_lane_are_not_those_of_another",),
    ),
    "failing-lane-shared": Mutant(
        "a lane that fails shares no batch",
        "events/worker/steps.py",
        "avoid = () if request.lanes else self.failures.failing()",
        "avoid: tuple[int, ...] = ()",
        (f"{LANE_TESTS}::test_a_lane_that_fails_shares_no_batch",),
    ),
    "due-lane-shared": Mutant(
        "a lane that fails is retried alone",
        "events/worker/schedule.py",
        "lanes=(retry.lane,), lock",
        "lock",
        (f"{SCHEDULE_TESTS}::test_others_are_applied_while_the_retry_of_a_failing_lane_waits",),
    ),
    "retry-taken-twice": Mutant(
        "a due lane is retried by one thread",
        "events/worker/lane_failures.py",
        "        failing.retry_at = now + _pause(failing.times)\n",
        "",
        (f"{LANE_TESTS}::test_a_lane_is_retried_at_pauses_that_double_up_to_a_bound",),
    ),
    "retries-of-all-lanes-at-once": Mutant(
        "retries of all lanes together take a tenth of a thread's time at most",
        "events/worker/lane_failures.py",
        "if now < failing.retry_at or (failing.alone and now < self._next_retry_at[suspect > 0]):",
        "if now < failing.retry_at:",
        (
            f"{LANE_TESTS}::test_retries_of_a_lane_take_a_tenth_of_the_time_at_most",
            f"{LANE_TESTS}::test_retries_of_many_lanes_take_a_tenth_of_the_time_at_most",
        ),
    ),
    "innocent-lanes-pause": Mutant(
        "a batch of many lanes that fails says nothing of how long each of them pauses",
        "events/worker/lane_failures.py",
        "        alone = len(lanes) == 1\n",
        "        alone = True\n",
        (
            f"{LANE_TESTS}::test_lanes_that_failed_together_are_retried_at_once_whatever_the_failure_took",
            f"{LANE_TESTS}::test_lanes_that_fail_together_do_not_wait_for_one_that_has_been_blocked_for_long",
        ),
    ),
    "others-wait-for-a-retry": Mutant(
        "other steps run beside the retry of a failing lane",
        "events/worker/schedule.py",
        "self.running > self.retrying or",
        "self.running or",
        (f"{SCHEDULE_TESTS}::test_others_are_applied_while_the_retry_of_a_failing_lane_waits",),
    ),
    "lock-timeout-as-failure": Mutant(
        "a lock timeout never becomes an attempt",
        "events/worker/bisection.py",
        "return self.count_transient and may_be_the_events_own(error)",
        "return self.count_transient",
        (f"{BATCH_TESTS}::test_contention_and_a_full_disk_never_become_an_attempt_however_often_they_come",),
    ),
}
