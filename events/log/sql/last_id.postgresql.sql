-- The last id that was given out.
select case when is_called then last_value else 0 end from events_event_id_seq
