-- One suspect, if it may still run now, as `fetch` gives it.
select c.id, c.key, c.suspect, null, '', c.attempts, e.event_id, e.event_type, e.did, e.priority, e.payload, e.version,
    e.rev, e.occurred_at || '', e.received_at || ''
from events_pending c left join events_event e on e.id = c.id
where c.id = :event and c.suspect and (c.available_at is null or c.available_at <= :now)
    and not exists (select 1 from events_pending b where b.key = c.key and b.id < c.id)
