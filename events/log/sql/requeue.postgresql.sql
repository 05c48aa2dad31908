-- Make dead events pending again. The time is set: an id may lie below the low watermarks, above which ready rows are
-- looked for.
with gone as (
    delete from events_dead_letter where id = any(:'ids'::bigint[]) and discarded_at is null returning id
)
insert into events_pending (key, id, lane, priority, available_at)
select e.key, e.id, mod(mod(e.key, lanes.n) + lanes.n, lanes.n), e.priority, clock_timestamp()
from gone join events_event e on e.id = gone.id, (select max(id) + 1 as n from events_lane) lanes
