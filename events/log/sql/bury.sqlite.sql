-- Make dead letters of pending events, for one reason; or discard them at once.
insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, discarded_at, note)
select e.id, e.event_type, e.did, :reason, :error, p.attempts, :now, case when :discarded then :now end, :note
from json_each(:ids) item
cross join events_event e on e.id = item.value
cross join events_pending p on p.key = e.key and p.id = e.id;

delete from events_pending where (key, id) in (
    select e.key, e.id from json_each(:ids) item cross join events_event e on e.id = item.value)
