"""Rules of what operators, the pruner and admission do."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CRASHES = "tests/integration/test_crash_points.py"
ADMISSION = "tests/events/test_admission.py"

OPERATORS = {
    "letter-lost": Mutant(
        "a requeued letter becomes a pending row in one transaction, on SQLite",
        "events/log/database.py",
        "if parts[1:] and not connection.in_atomic_block",
        "if False",
        (f"{CRASHES}::test_a_requeue_that_dies_is_done_or_not_done[requeue-half-done]",),
        sqlite=True,
    ),
    "bulk-cursor-apart": Mutant(
        "a bulk action's changes and its cursor are one transaction",
        "events/bulk.py",
        "    with transaction.atomic():\n        # A process that hangs",
        "    if True:\n        # A process that hangs",
        (f"{CRASHES}::test_a_bulk_action_that_dies_changes_each_letter_once",),
        sqlite=True,
    ),
    "lanes-apart": Mutant(
        "lanes are replaced in one transaction",
        "events/management/commands/change_lanes.py",
        "        with transaction.atomic():\n",
        "        if True:\n",
        (f"{CRASHES}::test_a_change_of_lanes_that_dies_changes_none",),
        sqlite=True,
    ),
    "batch-outlives-events": Mutant(
        "a batch is pruned in one transaction with its events",
        "events/worker/pruner.py",
        "with transaction.atomic():\n            rows = list(unlocked(Batch",
        "if True:\n            rows = list(unlocked(Batch",
        (f"{CRASHES}::test_pruning_that_dies_has_deleted_nothing",),
        sqlite=True,
    ),
    "pruned-by-receipt": Mutant(
        "retention begins when an event is done",
        "events/worker/pruner.py",
        "old = batch.finished_at < self.before",
        "old = Event.objects.filter(pk=batch.last_id, received_at__lt=self.before).exists()",
        (
            "tests/events/test_pruner.py"
            "::test_an_old_letter_is_kept_as_long_after_it_was_requeued_and_done_as_any_other_event",
        ),
    ),
    "sampling-unbounded": Mutant(
        "the interval between two counts for admission is bounded",
        "events/intake/admission.py",
        "min(LONGEST_INTERVAL, max(SHORTEST_INTERVAL, took))",
        "max(SHORTEST_INTERVAL, took)",
        (
            f"{ADMISSION}::TestSampling::test_a_sample_that_waited_for_a_frozen_server_delays_the_next_by_a_second_at_most",
        ),
    ),
    "refused-on-old-sample": Mutant(
        "nothing is refused on an estimate older than two seconds",
        "events/intake/admission.py",
        "known = self._sampled is not None and not self.stale",
        "known = self._sampled is not None",
        (f"{ADMISSION}::TestSampling::test_nothing_is_refused_on_an_estimate_older_than_two_seconds",),
    ),
}
