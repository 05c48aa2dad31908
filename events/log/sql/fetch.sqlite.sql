-- The chosen rows, in their order, as `fetch` has them on PostgreSQL; with `only`, no other event is read.
select c.id, c.key, c.suspect, case when c.available_at > :now then c.available_at end, '', c.attempts, e.event_id,
    e.event_type, e.did, e.priority, e.payload, e.version, e.rev, e.occurred_at || '', e.received_at || ''
from json_each(:chosen) item
cross join events_pending c on c.key = item.value ->> 0 and c.id = item.value ->> 1
left join events_event e on e.id = c.id and (:only is null or e.id in (select value from json_each(:only)))
order by item.key
