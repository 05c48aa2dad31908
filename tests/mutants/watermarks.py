"""Rules of the low watermarks."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FILE = "events/worker/watermarks.py"
TESTS = "tests/events/test_watermarks.py"

WATERMARKS = {
    "xmax-for-xid": Mutant(
        "a sample has an xid of its own",
        "events/log/sql/xid.postgresql.sql",
        "select pg_current_xact_id()",
        "select pg_snapshot_xmax(pg_current_snapshot())",
        (f"{TESTS}::test_the_last_id_is_read_before_the_xid",),
    ),
    "xid-before-last-id": Mutant(
        "a sample's last id is read before its xid",
        FILE,
        """            last_id = watermark.last_id()
            if last_id != safe or last_id < last.last_id:
                last = sample = Sample(last_id, watermark.xid())
""",
        """            xid = watermark.xid()
            last_id = watermark.last_id()
            if last_id != safe or last_id < last.last_id:
                last = sample = Sample(last_id, xid)
""",
        (f"{TESTS}::test_the_last_id_is_read_before_the_xid",),
    ),
    "xid-while-idle": Mutant(
        "no sample is taken while nothing was appended",
        FILE,
        "if last_id != safe or last_id < last.last_id:",
        "if True:",
        (f"{TESTS}::test_an_idle_log_costs_no_xids",),
    ),
    "ready-below-watermark": Mutant(
        "a watermark lies below the smallest ready id of its priority",
        FILE,
        "safe if ready is None else min(ready - 1, safe)",
        "safe",
        (f"{TESTS}::test_a_watermark_lies_below_the_smallest_ready_id_of_its_priority",),
    ),
    "lowest-before-horizon": Mutant(
        "the smallest ready ids are read after the horizon",
        FILE,
        "        horizon, server_started = watermark.horizon()\n",
        "        lowest = watermark.lowest_ready(self._at)\n        horizon, server_started = watermark.horizon()\n",
        (f"{TESTS}::test_the_smallest_ready_ids_are_read_after_the_horizon",),
        also=(("            return\n        lowest = watermark.lowest_ready(self._at)\n", "            return\n"),),
    ),
    "safe-at-once": Mutant(
        "an id is safe when all that may have drawn it has ended",
        FILE,
        "if sample is not None and horizon >= sample.xid:",
        "if sample is not None:",
        (f"{TESTS}::test_an_open_writer_holds_the_watermarks_back_and_its_events_are_found_after_its_commit",),
    ),
    "kept-over-reconnect": Mutant(
        "the watermarks begin anew on a new connection",
        FILE,
        "        connection_created.connect(self._connected, weak=True)\n",
        "",
        (f"{TESTS}::test_a_new_connection_begins_anew",),
    ),
    "kept-over-restore": Mutant(
        "the watermarks begin anew when an id or an xid goes back",
        FILE,
        "if last.last_id < self._last.last_id or last.xid < self._last.xid:",
        "if False:",
        (f"{TESTS}::test_an_id_or_an_xid_that_goes_back_begins_anew",),
    ),
    "kept-over-restart": Mutant(
        "the watermarks begin anew when the server was started anew",
        FILE,
        "if server_started != self._server_started:",
        "if False:",
        (f"{TESTS}::test_a_server_that_was_started_anew_begins_anew_behind_a_pooler_too",),
    ),
    "learned-before-reset": Mutant(
        "a look that began before a reset sets nothing",
        FILE,
        "if generation == self._generation:",
        "if True:",
        (f"{TESTS}::test_what_was_learned_on_a_lost_connection_is_not_used",),
    ),
    "audit-blind": Mutant(
        "the audit resets the watermarks that hide a row",
        FILE,
        "        if hidden:\n",
        "        if False:\n",
        (f"{TESTS}::test_the_audit_finds_a_ready_row_below_its_watermark_and_begins_anew",),
        error="not enough values to unpack",  # of the lines that were logged
    ),
    "no-watermark-audit": Mutant(
        "a running worker audits its watermarks",
        "events/worker/runner.py",
        "house, history, watermarks, log)",
        "house, history, log)",
        ("tests/events/test_runner.py::test_a_running_worker_audits_its_watermarks_and_the_log",),
    ),
    "no-log-audit": Mutant(
        "a running worker audits the log",
        "events/worker/runner.py",
        "house, history, watermarks, log)",
        "house, history, watermarks)",
        ("tests/events/test_runner.py::test_a_running_worker_audits_its_watermarks_and_the_log",),
    ),
    "requeued-as-ready": Mutant(
        "a requeued event is due and not ready",
        "events/log/sql/requeue.postgresql.sql",
        "e.priority, clock_timestamp()\nfrom gone",
        "e.priority, null\nfrom gone",
        ("tests/events/test_batch.py::test_a_requeued_event_is_applied_before_the_later_events_of_its_did",),
    ),
    "given-id-as-ready": Mutant(
        "a row whose id was given is due and not ready",
        "events/models/pending.py",
        "available_at=Now() if id_given else None",
        "available_at=None",
        ("tests/events/test_batch.py::test_an_event_whose_id_was_given_is_due_and_not_ready",),
    ),
}
