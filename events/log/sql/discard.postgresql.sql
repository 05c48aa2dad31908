-- Discard dead events.
update events_dead_letter set discarded_at = clock_timestamp(), note = :'note'
where id = any(:'ids'::bigint[]) and discarded_at is null
