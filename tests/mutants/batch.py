"""Rules of a worker's batch: lock, fetch, apply, complete."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BATCH = "events/worker/batch.py"
PERSIST = "events/worker/persist.py"
FETCH = "events/log/sql/fetch.postgresql.sql"
COMPLETE = "events/log/sql/complete.postgresql.sql"
TESTS = "tests/events/test_batch.py"
LOCKS = "tests/events/test_lane_locks.py"
CRASHES = "tests/integration/test_crash_points.py"

BLOCKED_HALF = """        union all
        (select p.ctid, p.* from events_pending p
         where (select b.any from blocked b) and p.key = puller.key and (p.available_at is not null or p.suspect)
            and p.id > puller.previous and p.id <= puller.id
         order by p.id limit :'limit')
"""

BATCHES = {
    "effects-apart": Mutant(
        "effects and completion are committed in one transaction",
        BATCH,
        "                result.snoozed, finished = persist(outcome, batch.lanes[0], batch.blockers)\n",
        "                transaction.get_connection().connection.commit()\n"
        "                result.snoozed, finished = persist(outcome, batch.lanes[0], batch.blockers)\n",
        (
            f"{TESTS}::test_a_pending_row_that_changes_while_its_batch_is_applied_takes_the_batch_back",
            f"{CRASHES}::test_a_batch_that_dies_is_applied_once[batch-applied]",
            f"{CRASHES}::test_a_batch_that_dies_is_applied_once[batch-completed]",
        ),
    ),
    "completed-first": Mutant(
        "events are applied before they are completed",
        BATCH,
        """                with gathering():
                    bisection = Bisection(wait_for, isolate=request.isolate, count_transient=repeated(batch.lanes))
                    outcome = bisection.apply(batch.entries)
                result.snoozed, finished = persist(outcome, batch.lanes[0], batch.blockers)
""",
        """                everything = Outcome(done=batch.entries)
                result.snoozed, finished = persist(everything, batch.lanes[0], batch.blockers)
                with gathering():
                    bisection = Bisection(wait_for, isolate=request.isolate, count_transient=repeated(batch.lanes))
                    outcome = bisection.apply(batch.entries)
""",
        (
            f"{TESTS}::test_one_poison_event_in_a_batch_of_300_costs_the_others_no_attempt",
            f"{TESTS}::test_a_permanent_error_is_a_dead_letter_at_once",
            f"{TESTS}::test_whatever_a_processor_does_wrong_is_its_events_failure",
        ),
    ),
    "failed-batch-kept": Mutant(
        "a batch that failed as a whole is rolled back before its events are isolated",
        "events/worker/bisection.py",
        "            if not self.isolate:\n                raise NeedsIsolation from error\n",
        "",
        (f"{TESTS}::test_one_poison_event_in_a_batch_of_300_costs_the_others_no_attempt",),
    ),
    "refused-batch-not-isolated": Mutant(
        "a batch that the database refuses as a whole is applied again, isolating",
        BATCH,
        "        if not request.isolate:\n            raise _LanesNeedIsolation(result.lanes) from error\n",
        "",
        (f"{TESTS}::test_whatever_a_processor_does_wrong_is_its_events_failure[break-the-transaction]",),
        error="CommitFailed",
    ),
    "waiting-overtaken": Mutant(
        "what follows a waiting event in its DID is not applied",
        BATCH,
        "            ended.add(key)\n            blockers.append(",
        "            blockers.append(",
        (
            f"{TESTS}::test_followers_of_a_waiting_event_are_snoozed_to_its_time",
            f"{TESTS}::test_below_a_waiting_event_of_its_did_no_later_event_is_applied_whatever_the_watermarks",
        ),
    ),
    "lanes-waited-for": Mutant(
        "a locked lane is passed over, by priority and by age",
        "events/log/sql/lock.postgresql.sql",
        "for update of l skip locked",
        "for update of l",
        (f"{LOCKS}::test_a_lane_that_is_locked_is_passed_over",),
        error="lock timeout",
    ),
    "announced-lanes-waited-for": Mutant(
        "a locked lane is passed over when it was announced",
        "events/log/sql/lock_these.postgresql.sql",
        "order by id for update skip locked",
        "order by id for update",
        (f"{LOCKS}::test_an_announced_lane_that_is_locked_is_passed_over",),
        error="lock timeout",
    ),
    "old-snapshot": Mutant(
        "the snapshot of the fetch is taken after the lock",
        "events/log/fetch.py",
        "        whole = max(",
        '        connection.cursor().execute("set transaction isolation level repeatable read")\n        whole = max(',
        (f"{LOCKS}::test_what_was_applied_until_a_lane_is_locked_is_not_fetched",),
        error="could not serialize access",
    ),
    "fetched-before-lock": Mutant(
        "the fetch comes after the lock",
        BATCH,
        "    lanes = _lock(request)\n    batch = _Batch(lanes=tuple(lanes))\n",
        "    early = fetch(range(64), request.limit, request.watermarks, by_age=request.by_age)\n"
        "    lanes = _lock(request)\n    batch = _Batch(lanes=tuple(lanes))\n",
        (f"{LOCKS}::test_what_was_applied_until_a_lane_is_locked_is_not_fetched",),
        also=(
            (
                "rows = fetch(lanes, request.limit, request.watermarks, by_age=request.by_age, only=request.only)\n",
                "rows = early\n",
            ),
        ),
        error="ConcurrentUpdate",
    ),
    "never-by-age": Mutant(
        "every tenth batch takes the lane with the oldest event",
        "events/worker/pace.py",
        "by_age=self._steps % BY_AGE_EVERY == 0",
        "by_age=False",
        (
            "tests/integration/test_worker.py::test_low_events_under_a_flood_of_high_ones_end_within_the_published_bound",
        ),
    ),
    "prefix-of-ready-rows": Mutant(
        "the prefix of a key has its rows that are not ready",
        FETCH,
        BLOCKED_HALF,
        "",
        (
            f"{TESTS}::test_a_requeued_event_is_applied_before_the_later_events_of_its_did",
            f"{TESTS}::test_below_a_waiting_event_of_its_did_no_later_event_is_applied_whatever_the_watermarks",
        ),
    ),
    "rows-brought-twice": Mutant(
        "a chosen row brings only the rows of its key since the one that was chosen before it",
        FETCH,
        "p.id > greatest(puller.previous, :'lowest') and p.id <= puller.id",
        "p.id > :'lowest' and p.id <= puller.id",
        (f"{TESTS}::test_several_urgent_events_of_one_did_bring_its_earlier_ones_once",),
        error="ConcurrentUpdate",
    ),
    "uncounted-delete": Mutant(
        "a batch deletes as many rows as it applied",
        PERSIST,
        "if deleted != len(outcome.done):",
        "if False:",
        (f"{TESTS}::test_a_pending_row_that_changes_while_its_batch_is_applied_takes_the_batch_back",),
    ),
    "delete-by-ctid-alone": Mutant(
        "a row is deleted by its ctid and its id",
        COMPLETE,
        "where ctid = any(:'places'::tid[]) and (id = any(:'ids'::bigint[])) is true",
        "where ctid = any(:'places'::tid[])",
        ("tests/events/test_complete.py::test_a_row_in_the_place_of_one_that_was_discarded_is_not_deleted",),
    ),
    "attempts-in-memory": Mutant(
        "a failed attempt is counted in the row",
        "events/log/sql/fail.postgresql.sql",
        "set attempts = p.attempts + 1,",
        "set attempts = p.attempts,",
        (f"{TESTS}::test_retries_wait_2_4_and_8_seconds_and_then_the_event_is_dead",),
    ),
    "attempts-in-memory-sqlite": Mutant(
        "a failed attempt is counted in the row, on SQLite",
        "events/log/sql/fail.sqlite.sql",
        "set attempts = attempts + 1,",
        "set attempts = attempts,",
        (f"{TESTS}::test_retries_wait_2_4_and_8_seconds_and_then_the_event_is_dead",),
        sqlite=True,
    ),
    "unsnoozed": Mutant(
        "what follows a waiting event is snoozed",
        PERSIST,
        "snoozed = snooze_blocked(json.dumps(blockers), SNOOZED_AT_ONCE) if blockers else 0",
        "snoozed = 0",
        (
            f"{TESTS}::test_followers_of_a_waiting_event_are_snoozed_to_its_time",
            f"{TESTS}::test_behind_a_failing_event_a_deep_did_holds_up_nobody_else",
        ),
    ),
    "unbounded-in-ids": Mutant(
        "no row of a batch spans 100,000 ids",
        COMPLETE,
        "from gone group by id / 100000",
        "from gone",
        ("tests/events/test_complete.py::test_a_batch_whose_ids_lie_far_apart_is_recorded_in_several_rows",),
    ),
    "unbounded-in-bytes": Mutant(
        "a batch is bounded in bytes",
        FETCH,
        "from restore, sized\nwhere coalesce(bytes_before, 0) <= 8000000",
        "from restore, sized",
        (f"{TESTS}::test_a_batch_is_bounded_in_bytes_and_holds_at_least_one_event",),
    ),
}
