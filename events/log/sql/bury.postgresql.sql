-- Make dead letters of pending events, for one reason; or discard them at once.
with gone as (
    delete from events_pending p using events_event e
    where e.id = any(:'ids'::bigint[]) and p.key = e.key and p.id = e.id
    returning e.id, e.event_type, e.did, p.attempts
)
insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, discarded_at, note)
select id, event_type, did, :'reason', :'error', attempts, clock_timestamp(),
    case when :'discarded'::boolean then clock_timestamp() end, :'note'
from gone
