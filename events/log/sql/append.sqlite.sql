-- Append a JSON array of events to the log, ids in its order; `append_pending` makes those that are new pending.
insert into events_event (
    event_id, event_type, did, key, priority, payload, digest, rev, occurred_at, version, received_at,
    request_id, traceparent
)
select replace(item.value ->> 'i', '-', ''), item.value ->> 't', item.value ->> 'd', item.value ->> 'k',
    item.value ->> 'r', item.value ->> 'p', item.value ->> 'g', item.value ->> 'rev', item.value ->> 'o',
    coalesce(item.value ->> 'v', :microseconds), :now, item.value ->> 'q', item.value ->> 'w'
from json_each(:document) item
where true
order by item.key
on conflict (event_id) do nothing
returning id, event_id
