-- What models can't express.
-- The state of each event. No batch spans 100000 ids, so the look-up reads a bounded range. The kind of attempt that is left out is events.worker.quarantine.STRIKE.
create view events_state as
select e.id,
    case when p.id is not null then 0 when d.discarded_at is not null then 3 when d.id is not null then 2
        when b.last_id is not null then 1 else 4 end as state,
    coalesce(p.lane, ((e.key % lanes.n) + lanes.n) % lanes.n) as lane,
    case when p.id is not null then p.attempts when d.id is not null then d.attempts
        when b.last_id is not null then 1 + (
            select count(*) from events_attempt a where a.event_id = e.id and a.kind <> 'worker process died or hung'
        ) else 0 end as attempts,
    coalesce(p.crashes, 0) as crashes,
    coalesce(p.suspect, false) as suspect,
    p.available_at,
    coalesce(d.discarded_at, d.died_at, b.finished_at) as finished_at,
    coalesce(b.worker, '') as worker,
    coalesce(d.error, case when p.attempts > 0 then (
        select a.kind || ': ' || a.message from events_attempt a where a.event_id = e.id order by a.id desc limit 1
    ) end, '') as error,
    coalesce(d.reason, '') as reason,
    coalesce(d.note, '') as note
from (select max(id) + 1 as n from events_lane) lanes
cross join events_event e
left join events_pending p on p.key = e.key and p.id = e.id
left join events_dead_letter d on d.id = e.id
left join events_batch b on b.last_id = (
    select c.last_id from events_batch c
    where p.id is null and d.id is null
        and c.last_id >= e.id and c.last_id < e.id + 100000 and c.first_id <= e.id
        and exists (select 1 from json_each(coalesce(c.ids, json_array(c.last_id))) where value = e.id)
    order by c.last_id limit 1
)
