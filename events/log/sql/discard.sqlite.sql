-- Discard dead events.
update events_dead_letter set discarded_at = :now, note = :note
where id in (select value from json_each(:ids)) and discarded_at is null
