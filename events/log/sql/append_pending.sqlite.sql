-- Make events of the log pending.
insert into events_pending (key, id, lane, priority)
select e.key, e.id, ((e.key % lanes.n) + lanes.n) % lanes.n, e.priority
from json_each(:ids) item cross join events_event e on e.id = item.value,
    (select max(id) + 1 as n from events_lane) lanes
