-- The content digests of events that are in the log.
-- A row may be visible before its commit is replicated, when what waited for the standby was ended. Where there is a
-- synchronous standby, this transaction writes WAL after the row was seen, so its own commit waits for both.
with replicated as materialized (
    select case when current_setting('synchronous_standby_names') <> ''
        then pg_logical_emit_message(true, 'rhiz', 'duplicate') end
)
select event_id, replace(digest::text, '-', '') from replicated, events_event where event_id = any(:'event_ids'::uuid[])
