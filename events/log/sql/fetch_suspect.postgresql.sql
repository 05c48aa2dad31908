-- One suspect, if it may still run now, as `fetch` gives it. `offset 0`: see `fail`.
with restore as materialized (
    select set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),
        set_config('enable_bitmapscan', 'on', true)
)
select c.id, c.key, c.suspect, null, c.ctid::text, c.attempts, e.event_id, e.event_type, e.did, e.priority, e.payload,
    e.version, e.rev, (extract(epoch from e.occurred_at) * 1000000)::bigint,
    (date_part('epoch', e.received_at) * 1000000)::bigint
from restore, events_pending c
left join lateral (select * from events_event e where e.key = c.key and e.id = c.id offset 0) e on true
where c.id = :'event' and c.suspect and (c.available_at is null or c.available_at <= clock_timestamp())
    and not exists (select 1 from events_pending b where b.key = c.key and b.id < c.id)
