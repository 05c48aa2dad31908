-- The content digests of events that are in the log.
select event_id, digest from events_event where event_id in (select value from json_each(:event_ids))
