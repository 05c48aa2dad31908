-- Make dead events pending again.
insert into events_pending (key, id, lane, priority, available_at)
select e.key, e.id, ((e.key % lanes.n) + lanes.n) % lanes.n, e.priority, :now
from json_each(:ids) item
cross join events_dead_letter d on d.id = item.value and d.discarded_at is null
cross join events_event e on e.id = d.id,
    (select max(id) + 1 as n from events_lane) lanes;

delete from events_dead_letter where id in (select value from json_each(:ids)) and discarded_at is null
