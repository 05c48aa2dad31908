-- The chosen rows, in their order, as `fetch` has them on PostgreSQL, up to about 8 MB; with `only`, no other event is read.
select id, key, suspect, until, place, attempts, event_id, event_type, did, priority, payload, version, rev, occurred,
    received
from (
    select c.id, c.key, c.suspect, case when c.available_at > :now then c.available_at end as until, '' as place,
        c.attempts, e.event_id, e.event_type, e.did, e.priority, e.payload, e.version, e.rev,
        e.occurred_at || '' as occurred, e.received_at || '' as received, item.key as number,
        sum(length(cast(e.payload as blob))) over (order by item.key rows between unbounded preceding and 1 preceding) as bytes_before
    from json_each(:chosen) item
    cross join events_pending c on c.key = item.value ->> 0 and c.id = item.value ->> 1
    left join events_event e on e.id = c.id and (:only is null or e.id in (select value from json_each(:only)))
)
where coalesce(bytes_before, 0) <= 8000000
order by number
