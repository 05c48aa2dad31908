"""Rules of appending."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ASYNC = "tests/events/test_append_async.py"
APPEND_SQL = "events/log/sql/append.postgresql.sql"

APPEND = {
    "id-before-xid": Mutant(
        "APPEND draws an id after its transaction has an xid",
        APPEND_SQL,
        "select case when pg_current_xact_id() is not null then nextval('events_event_id_seq') end as id,",
        "select nextval('events_event_id_seq') as id,",
        (
            "tests/events/test_watermarks.py"
            "::test_an_append_that_waits_for_a_conflicting_one_strands_none_of_its_events",
        ),
    ),
    "default-before-xid": Mutant(
        "the column's default draws an id after its transaction has an xid",
        "events/migrations/0001_initial.postgresql.sql",
        "set default case when pg_current_xact_id() is not null then nextval('events_event_id_seq') end",
        "set default nextval('events_event_id_seq')",
        ("tests/events/test_watermarks.py::test_a_column_default_draws_an_id_only_in_a_transaction_that_has_an_xid",),
    ),
    "duplicate-without-wal": Mutant(
        "a duplicate is reported after a commit that wrote WAL",
        "events/log/sql/digests.postgresql.sql",
        """select case when current_setting('synchronous_standby_names') <> ''
        then pg_logical_emit_message(true, 'rhiz', 'duplicate') end""",
        "select 1",
        (f"{ASYNC}::test_nothing_is_answered_that_is_not_replicated_the_repeat_included",),
    ),
    "abandoned-cancelled": Mutant(
        "an append that takes too long is abandoned and not cancelled",
        "events/log/append_async.py",
        "            self._abandon(work)\n",
        "            work.cancel()\n",
        (
            f"{ASYNC}::test_an_abandoned_append_is_not_cancelled_and_its_repeat_is_a_duplicate",
            f"{ASYNC}::test_nothing_is_answered_that_is_not_replicated_the_repeat_included",
        ),
        error="OutcomeUnknownError",
    ),
    "abandoned-uncapped": Mutant(
        "abandoned appends are capped",
        "events/log/append_async.py",
        "if len(self._abandoned) >= ABANDONED:",
        "if False:",
        (f"{ASYNC}::test_abandoned_appends_are_capped_and_no_more_connections_are_opened",),
    ),
    "own-duplicates": Mutant(
        "an append that is repeated remembers what it inserted",
        "events/log/append_protocol.py",
        "        left = [event for event_id, event in self._firsts.items() if event_id not in self._present]\n",
        "        left = list(self._firsts.values())\n        self._new = set()\n",
        (f"{ASYNC}::test_a_group_that_is_repeated_does_not_take_its_own_events_for_duplicates",),
    ),
    "lock-given-up": Mutant(
        "an event whose event_id is locked is tried again for a while",
        "events/log/append_protocol.py",
        "while waiting and self._clock() < end:",
        "while False:",
        (f"{ASYNC}::test_what_a_group_waits_for_is_appended_when_the_transaction_ends_in_time",),
    ),
    "lock-waited-for": Mutant(
        "a lock on an event_id is waited for for milliseconds",
        APPEND_SQL,
        "set_config('lock_timeout', coalesce(:'patience', current_setting('lock_timeout')), true)",
        "set_config('lock_timeout', '0', true)",
        (
            f"{ASYNC}::test_event_ids_that_an_open_transaction_holds_refuse_those_and_what_follows_them_in_their_did",
            f"{ASYNC}::test_locked_events_of_a_large_group_delay_the_others_by_two_seconds_at_most",
        ),
        error="OutcomeUnknownError",
    ),
    "thread-waits-for-lock": Mutant(
        "an append from a thread is split too",
        "events/log/append.py",
        "answer = _insert(step, impatient=append.may_split)",
        "answer = _insert(step, impatient=False)",
        ("tests/events/test_append_split.py::test_by_itself_it_is_split",),
        error="TimeoutError",
    ),
    "callers-transaction-split": Mutant(
        "an append in its caller's transaction is not split",
        "events/log/append.py",
        'may_split and connection.vendor == "postgresql" and not connection.in_atomic_block',
        'may_split and connection.vendor == "postgresql"',
        ("tests/events/test_append_split.py::test_in_a_callers_transaction_it_waits_and_is_not_split",),
        error="current transaction is aborted",
    ),
    "rolled-back-remembered": Mutant(
        "an append that was rolled back inserts its events again",
        "events/log/append.py",
        "    append.forget()\n",
        "",
        (
            "tests/events/test_append_repeated.py::test_with_a_duplicate_in_it",
            "tests/events/test_append_repeated.py::test_as_a_dead_letter",
        ),
        error="DoesNotExist",
    ),
    "followers-of-locked": Mutant(
        "what follows a locked event in its DID is not appended",
        "events/log/append_protocol.py",
        "                return [events[number:]]\n",
        "                return [[event], *(yield from self._insert_in_order(events[number + 1 :]))]\n",
        (f"{ASYNC}::test_event_ids_that_an_open_transaction_holds_refuse_those_and_what_follows_them_in_their_did",),
    ),
    "event-without-pending": Mutant(
        "an event and its pending row are inserted in one transaction",
        "events/log/append.py",
        "    with transaction.atomic():\n        appended = _run(append)\n",
        "    if True:\n        appended = _run(append)\n",
        (
            "tests/integration/test_crash_points.py"
            "::test_an_append_that_dies_is_answered_truly_when_it_is_repeated[append-event-without-pending]",
        ),
        sqlite=True,
    ),
}
